"""The events of an embedded log as the tracker follows them."""

from collections.abc import Sequence

from executor_service.adapters.embedded.file import EmbeddedFile
from executor_service.adapters.embedded.recent_records import StoredRecord


class EventTail:
    """Satisfies `tracker_service.projector.embedded_tracker.LogTail`."""

    def __init__(self, file: EmbeddedFile) -> None:
        self._file = file

    def end(self) -> int:
        """Return the offset behind the last event."""
        return self._file.end("events")

    async def read(self, start: int, count: int) -> Sequence[StoredRecord]:
        """Return up to `count` events from offset `start` on."""
        return await self._file.read("events", start, count)

    async def grown(self, beyond: int) -> None:
        """Return once there is an event at offset `beyond` or later."""
        await self._file.grown("events", beyond)
