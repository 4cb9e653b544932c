"""The rows of a file made again from its log; the file is held meanwhile."""

from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path

from executor_service.adapters.embedded.file import EmbeddedFile
from steplog.embedded.settings import EmbeddedSettings
from steplog.embedded.tail import EventTail
from tracker_service.projector.embedded_tracker import TailingTracker
from tracker_service.store.sqlite import SqliteStore
from tracker_service.store.sqlite.clear import drop_read_model


async def rebuild_rows(path: Path, progress: Callable[[int, int], None]) -> int:
    """Drop the rows, fold every event again and return how many there were.

    Broken off, it leaves rows that are older than the log; whatever opens the file next goes on.

    Raises:
        FileRefused: another process has the file open, or it can't be used.
    """
    async with AsyncExitStack() as stack:
        file = await stack.enter_async_context(EmbeddedFile(path))
        await drop_read_model(path)
        store = SqliteStore(path, turn=file.turn)
        await store.open()
        stack.push_async_callback(store.close)
        tracker = TailingTracker(store, EmbeddedSettings(path).topics.events.name, EventTail(file))
        await tracker.start()
        await tracker.catch_up(progress)
        return tracker.next_offset
