"""Answers from a file of embedded mode, whoever has it open.

Its server answers while one runs on it. Where nothing has the file open, what the log holds is
applied to the rows first, so that an answer never misses what is recorded.
"""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import httpx

from executor_service.adapters.embedded.file import EmbeddedFile
from executor_service.adapters.embedded.lock import EmbeddedLock
from executor_service.adapters.embedded.reader import EmbeddedReader
from steplog.client.read_api import ReadApi
from steplog.embedded.history import EmbeddedHistory
from steplog.embedded.holder_address import token_for
from steplog.embedded.settings import EmbeddedSettings
from steplog.embedded.tail import EventTail
from tracker_service.api_server.app import make_app
from tracker_service.http_api.middleware import caller as callers
from tracker_service.payload_reader import make_reader
from tracker_service.projector.embedded_tracker import TailingTracker
from tracker_service.store.sqlite import SqliteReadModel, SqliteStore

# The API's answers without a network between: the very same application.
IN_PROCESS_URL = "http://embedded"


def in_process(
    model: SqliteReadModel, settings: EmbeddedSettings, history: EmbeddedHistory
) -> ReadApi:
    """Return the API over the rows, the events and the stored values of a file."""
    topic, reader = settings.topics.events.name, make_reader(settings.payload_url)
    app = callers.in_process(make_app(model, topic, history, reader))
    return ReadApi(IN_PROCESS_URL, httpx.ASGITransport(app))


@asynccontextmanager
async def open_embedded_read(path: Path, token: str | None = None) -> AsyncIterator[ReadApi]:
    """Yield an API that answers for the file; `token` is for a server that wants to know who asks.

    Raises:
        FileRefused: it can't be used.
    """
    lock = EmbeddedLock(path)
    holder = lock.holder()
    async with AsyncExitStack() as stack:
        if holder is not None and holder.api_url is not None:
            read = ReadApi(holder.api_url, token=token_for(lock, holder, token))
        else:
            if holder is None:
                await caught_up(path)
            model = SqliteReadModel(path)
            await model.open()
            stack.push_async_callback(model.close)
            reader = await stack.enter_async_context(EmbeddedReader(path))
            read = in_process(model, EmbeddedSettings(path), EmbeddedHistory(reader))
        stack.push_async_callback(read.close)
        yield read


async def caught_up(path: Path) -> None:
    """Return once the rows hold everything the log holds; nothing may have the file open."""
    async with AsyncExitStack() as stack:
        file = await stack.enter_async_context(EmbeddedFile(path))
        store = SqliteStore(path, turn=file.turn)
        await store.open()
        stack.push_async_callback(store.close)
        tracker = TailingTracker(store, EmbeddedSettings(path).topics.events.name, EventTail(file))
        await tracker.start()
        await tracker.catch_up()
