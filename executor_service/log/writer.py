"""Group commit to one partition, and the self-check that keeps a former owner from acting.

Everything ready while a batch is in flight goes out as the next batch. An append counts as recorded
only when it is acknowledged *and contiguous*: its base offset must be the one after this writer's
previous record. A hole means that somebody else appended; the writer reads it, and if a claim is in
it, this append was void from the moment it landed: every reader ignores it, so nothing may be done
because of it. A base *below* the expected one means that the log lost records it had acknowledged.
docs/claims.md has the protocol and its invariants.
"""

import asyncio
from collections.abc import Sequence

from executor_service.errors import LogLostRecords, RecordingLost
from executor_service.log.start_gate import StartGate
from executor_service.ports.event_log import Appended, EventLog
from executor_service.ports.last_record import LastRecord, digest_of
from steplog_contracts.envelope import Record
from steplog_contracts.events import PartitionClaimed

_CLAIM_TYPE = PartitionClaimed.event_type.encode()


class PartitionWriter:
    """The one way events of a partition get into the log under one epoch.

    What may wait is bounded by the executions in flight: each awaits its own append.
    """

    def __init__(
        self, log: EventLog, partition: int, epoch: int, claim: Record | None = None
    ) -> None:
        self._log = log
        self._newest = claim
        self._partition = partition
        self._pending: list[Record] = []
        self._waiters: list[asyncio.Future[None]] = []
        self._flushing: asyncio.Task[None] | None = None
        self._lost: RecordingLost | None = None
        self.starts = StartGate()
        self.epoch = epoch
        self.next_offset = epoch + 1

    @property
    def lost(self) -> bool:
        """True once nothing more can be recorded through this writer."""
        return self._lost is not None

    @property
    def log_lost(self) -> bool:
        """True once the log is known to have lost records."""
        return isinstance(self._lost, LogLostRecords)

    @property
    def last_record(self) -> LastRecord | None:
        """Return the newest record this writer knows to be in the log."""
        if self._newest is None:
            return None
        digest = digest_of(self._newest.value, self._newest.headers)
        return LastRecord(self.next_offset - 1, digest)

    async def append(self, records: Sequence[Record]) -> None:
        """Return when the records are part of the log that readers take.

        Raises:
            RecordingLost: another executor owns the partition; act on nothing.
        """
        if self._lost is not None:
            raise self._lost
        waiter = asyncio.get_running_loop().create_future()
        self._pending.extend(records)
        self._waiters.append(waiter)
        if self._flushing is None:
            self._flushing = asyncio.create_task(self._flush_all())
        await waiter

    def give_up(self, reason: str | RecordingLost) -> None:
        """Record nothing from now on; whoever waits or comes gets RecordingLost."""
        if self._lost is None:
            self._lost = reason if isinstance(reason, RecordingLost) else RecordingLost(reason)
        self.starts.open()  # Whoever waits there is told by its append.
        self._fail_waiters(self._lost)

    async def settle(self) -> None:
        """Wait for the batch in flight, whatever its end."""
        if self._flushing is not None:
            await asyncio.wait([self._flushing])

    async def _flush_all(self) -> None:
        try:
            while self._pending and self._lost is None:
                await self._flush_pending()
        except Exception as error:  # Any fault of the log: what it did is unknown, so stop here.
            self.give_up(error if isinstance(error, RecordingLost) else str(error))
        finally:
            self._flushing = None

    async def _flush_pending(self) -> None:
        records, waiters = self._pending, self._waiters
        self._pending, self._waiters = [], []
        try:
            while records:
                appended = await self._log.append(self._partition, records)
                await self._check(appended, records)
                records = records[appended.count :]
        except Exception:
            self._waiters = waiters + self._waiters
            raise
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)

    async def _check(self, appended: Appended, records: Sequence[Record]) -> None:
        base = appended.base_offset
        if base is None:
            base = await self._find(records[0])
        if base < self.next_offset:
            raise LogLostRecords(
                f"Partition {self._partition} had reached offset {self.next_offset} and took an "
                f"append at {base}: it lost records."
            )
        if base != self.next_offset:
            await self._inspect_hole(self.next_offset, base)
        self.next_offset = base + appended.count
        self._newest = records[appended.count - 1]

    async def _inspect_hole(self, start: int, end: int) -> None:
        async for logged in self._log.read(self._partition, start, end):
            if ("ce_type", _CLAIM_TYPE) in logged.headers:
                raise RecordingLost(
                    f"Partition {self._partition} was claimed by another executor at offset "
                    f"{logged.offset}."
                )

    async def _find(self, record: Record) -> int:
        """Return where an append of unknown offset landed; the log is asked, not guessed at."""
        end = await self._log.end_offset(self._partition)
        if end < self.next_offset:
            raise LogLostRecords(
                f"Partition {self._partition} had reached offset {self.next_offset} and ends at "
                f"{end}: it lost records."
            )
        async for logged in self._log.read(self._partition, self.next_offset, end):
            if logged.headers == record.headers:
                return logged.offset
        raise RecordingLost(f"An append to partition {self._partition} is not in the log.")

    def _fail_waiters(self, error: RecordingLost) -> None:
        waiters, self._waiters, self._pending = self._waiters, [], []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_exception(error)
