"""A crash of the process in a test: after some event nothing is written any more."""

from collections.abc import Sequence
from pathlib import Path

from executor_service.adapters.embedded.file import EmbeddedFile
from executor_service.embedded_errors import FileFailed
from steplog_contracts.codec import decode_event
from steplog_contracts.envelope import Record
from steplog_contracts.events import StepCompleted


class Crash:
    """When to crash: once, after so many events or after a step completed."""

    def __init__(self, *, after_events: int | None = None, after_step: str | None = None) -> None:
        self._after_events = after_events
        self._after_step = after_step
        self.events = 0  # Appended so far.
        self.happened = False

    def fitting(self, records: Sequence[Record]) -> int:
        """Count records until the crash, and return how many of these come before it."""
        for number, record in enumerate(records, 1):
            self.events += 1
            if self.events == self._after_events or self._ends_step(record):
                return number
        return len(records)

    @property
    def is_due(self) -> bool:
        """Say whether the process is to end now."""
        return self._after_events is not None and self.events >= self._after_events

    def _ends_step(self, record: Record) -> bool:
        if self._after_step is None or record.value is None:
            return False
        event = decode_event(record.value, record.headers).event
        found = isinstance(event, StepCompleted) and event.step_id == self._after_step
        if found:
            self._after_events = self.events
        return found


class CrashingFile(EmbeddedFile):
    """A file whose process ends when the crash is due: what was written stays, nothing follows."""

    def __init__(self, path: Path, crash: Crash) -> None:
        super().__init__(path)
        self._crash = crash

    async def append(self, topic: str, records: Sequence[Record]) -> int:
        """Append what comes before the crash, then fail for good."""
        if topic != "events" or self._crash.happened:
            return await super().append(topic, records)
        before = records[: self._crash.fitting(records)]
        offset = await super().append(topic, before)
        if self._crash.is_due:
            self._crash.happened = True
            self.failure = FileFailed("The test ends the process here.")
            self.failed.set()
            raise self.failure
        return offset
