"""The tracker of embedded mode: follows a log in its own process, told of each append.

The same fold, store and positions as the worker on Kafka; what Faust does there (groups, fetching)
has no counterpart, because there is one log, one partition and one process.
"""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Protocol

import structlog

from tracker_service.projections.errors import TrackerError
from tracker_service.projections.record_header import LogRecord
from tracker_service.projections.row_changes import Changes
from tracker_service.projector.projector import Projector
from tracker_service.projector.store_retry import Pacing, StoppedWaiting
from tracker_service.store.errors import StoreError
from tracker_service.store.write_port import Store

# Folded and written together: one turn at the file, so the log never waits long for its own.
MAX_BATCH_RECORDS = 2_000
# Under load a pause between batches: an execution's row is written once per batch that has an event
# of it, so fewer and larger batches cost less. Freshness under load is this much older for it.
BUSY_RECORDS = 100
BUSY_PAUSE_S = 0.05
# Between two notes of where the log ends, which answers tell their freshness by.
HEARTBEAT_S = 1.0
_PARTITION = 0

_log = structlog.get_logger(__name__)


class LogTail(Protocol):
    """The events of one process, as they are appended."""

    def end(self) -> int:
        """Return the offset behind the last event."""

    async def read(self, start: int, count: int) -> Sequence[LogRecord]:
        """Return up to `count` events from offset `start` on."""

    async def grown(self, beyond: int) -> None:
        """Return once there is an event at offset `beyond` or later."""


class RowsAheadOfLog(TrackerError):
    """The log lost events that the rows were made from."""


class TailingTracker:
    """Applies a log to the rows as it grows."""

    def __init__(self, store: Store, topic: str, tail: LogTail) -> None:
        self._store = store
        self._topic = topic
        self._tail = tail
        self._stopping = False
        self._waiting: dict[str, set[asyncio.Event]] = {}
        self.projector = Projector(store, topic, Pacing(lambda: self._stopping))
        self.projector.on_changes = self._wake
        self.next_offset = 0

    @property
    def is_caught_up(self) -> bool:
        """Say whether all events of the log are in the rows."""
        return self.next_offset >= self._tail.end()

    async def start(self) -> None:
        """Find out how far the rows are.

        Raises:
            RowsAheadOfLog: they are made from events the log does not have.
        """
        positions = await self.projector.start_positions([_PARTITION])
        self.next_offset = positions[_PARTITION]
        if self.next_offset > self._tail.end():
            raise RowsAheadOfLog(
                f"The rows are made from {self.next_offset} events but the log ends at "
                f"{self._tail.end()}: it lost some. Make the rows again with `steplog rebuild "
                "--data FILE`."
            )

    async def run(self) -> None:
        """Follow the log until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._follow())
            tasks.create_task(self._heartbeat())

    async def catch_up(self, progress: Callable[[int, int], None] | None = None) -> None:
        """Apply everything the log holds now, and note that nothing is behind."""
        while self.next_offset < self._tail.end():
            await self._apply_next()
            if progress is not None:
                progress(self.next_offset, self._tail.end())
        await self._observe()

    @contextmanager
    def changes_of(self, execution_id: str) -> Iterator[asyncio.Event]:
        """Yield an event that is set when rows of the execution changed; clear it before a look."""
        changed = asyncio.Event()
        self._waiting.setdefault(execution_id, set()).add(changed)
        try:
            yield changed
        finally:
            waiting = self._waiting[execution_id]
            waiting.discard(changed)
            if not waiting:
                del self._waiting[execution_id]

    def _wake(self, changes: Changes) -> None:
        if not self._waiting:
            return
        refused = {one.execution_id for one in changes.refused_commands.values()}
        applied = {one.execution_id for one in changes.applied_commands.values()}
        for execution_id in self._waiting.keys() & (changes.executions.keys() | refused | applied):
            for changed in self._waiting[execution_id]:
                changed.set()

    def stop(self) -> None:
        """Wait for nothing any more; what is not applied is applied at the next start."""
        self._stopping = True

    async def _follow(self) -> None:
        with suppress(StoppedWaiting):
            while not self._stopping:
                await self._tail.grown(self.next_offset)
                applied = await self._apply_next()
                behind = self._tail.end() - self.next_offset
                if applied >= BUSY_RECORDS and behind < MAX_BATCH_RECORDS:
                    await asyncio.sleep(BUSY_PAUSE_S)

    async def _apply_next(self) -> int:
        """Apply what comes next and return how many events that was."""
        records = await self._tail.read(self.next_offset, MAX_BATCH_RECORDS)
        await self.projector.apply(_PARTITION, records, self._tail.end())
        self.next_offset = records[-1].offset + 1
        return len(records)

    async def _heartbeat(self) -> None:
        while not self._stopping:
            await self._observe()
            await asyncio.sleep(HEARTBEAT_S)

    async def _observe(self) -> None:
        try:
            await self._store.observe_ends(self._topic, {_PARTITION: self._tail.end()})
        except StoreError as error:
            _log.info("end not noted", reason=str(error))
