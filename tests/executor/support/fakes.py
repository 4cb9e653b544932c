"""A log in memory whose deliveries the test decides, and a clock it moves by hand."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from executor_service.ports.event_log import Appended, LoggedRecord
from steplog_contracts.codec import decode_event
from steplog_contracts.envelope import Record, RecordedEvent
from steplog_contracts.epoch import EpochRule


@dataclass(eq=False)
class Flight:
    """An append under way: sent, and maybe never to arrive."""

    partition: int
    records: list[Record]
    acknowledged: asyncio.Future[Appended]
    sender: object = None


@dataclass
class SharedLog:
    """The broker: partitions of records, and appends still on their way.

    With `held` an append stays in flight until `deliver`; otherwise it lands at once.
    """

    held: bool = False
    partitions: dict[int, list[LoggedRecord]] = field(default_factory=dict)
    flights: list[Flight] = field(default_factory=list)
    reads: list[tuple[int, int]] = field(default_factory=list)
    removed_until: int = 0  # What retention took from the head of every partition.

    def land(self, partition: int, records: Sequence[Record]) -> int:
        """Put records at the end of a partition and return the first one's offset."""
        log = self.partitions.setdefault(partition, [])
        base = len(log)
        for index, record in enumerate(records):
            log.append(LoggedRecord(base + index, record.value, record.headers))
        return base

    def lose_tail(self, length: int, partition: int = 0) -> None:
        """Do what a power cut of all replicas does: only so many records are left."""
        del self.partitions[partition][length:]

    def deliver(self, flight: Flight) -> None:
        """Let an append arrive, and its acknowledgement if anybody still waits for it."""
        self.flights.remove(flight)
        base = self.land(flight.partition, flight.records)
        if not flight.acknowledged.done():
            flight.acknowledged.set_result(Appended(base, len(flight.records)))

    def taken(self, partition: int = 0) -> list[RecordedEvent]:
        """Return the events every reader takes: those of the newest claim before them."""
        rule, taken = EpochRule(), []
        for logged in self.partitions.get(partition, []):
            recorded = decode_event(logged.value, logged.headers)
            if rule.admits(
                logged.offset, recorded.event.event_type, recorded.envelope.writer_epoch
            ):
                taken.append(recorded)
        return taken


class FakeEventLog:
    """One executor's line to the shared log; satisfies `event_log.EventLog`."""

    def __init__(self, shared: SharedLog) -> None:
        self.shared = shared

    async def append(self, partition: int, records: Sequence[Record]) -> Appended:
        """Land at once, or stay in flight until the test delivers."""
        if not self.shared.held:
            await asyncio.sleep(0)
            return Appended(self.shared.land(partition, records), len(records))
        acknowledged = asyncio.get_running_loop().create_future()
        self.shared.flights.append(Flight(partition, list(records), acknowledged, self))
        return await acknowledged

    async def read(self, partition: int, start: int, end: int) -> AsyncIterator[LoggedRecord]:
        """Yield the range as it stands."""
        self.shared.reads.append((start, end))
        start = max(start, self.shared.removed_until)
        for logged in self.shared.partitions.get(partition, [])[start:end]:
            yield logged

    async def begin_offset(self, partition: int) -> int:
        """Return the first offset."""
        return self.shared.removed_until

    async def ends(self, partitions: Iterable[int]) -> dict[int, int]:
        """Return the next offsets."""
        return {partition: await self.end_offset(partition) for partition in partitions}

    async def end_offset(self, partition: int) -> int:
        """Return the next offset."""
        return len(self.shared.partitions.get(partition, []))


class ManualClock:
    """Time that moves when the test says so; satisfies `ports.Clock`."""

    def __init__(self) -> None:
        self._now = datetime(2026, 1, 1, tzinfo=UTC)
        self._sleepers: list[tuple[datetime, asyncio.Future[None]]] = []

    def now(self) -> datetime:
        """Return the time as it was last set."""
        return self._now

    def monotonic_s(self) -> float:
        """Return seconds since the clock's own beginning."""
        return (self._now - datetime(2026, 1, 1, tzinfo=UTC)).total_seconds()

    def reached(self, moment: datetime) -> None:
        """Nobody sets this clock back."""

    async def sleep_until(self, due: datetime) -> None:
        """Return once the test has moved the clock to `due`."""
        if due > self._now:
            woken = asyncio.get_running_loop().create_future()
            self._sleepers.append((due, woken))
            await woken

    def move(self, by: timedelta) -> None:
        """Go forward and wake whoever is due."""
        self._now += by
        for due, woken in self._sleepers:
            if due <= self._now and not woken.done():
                woken.set_result(None)


async def settle(rounds: int = 60) -> None:
    """Let everything that can run without outside help run."""
    for _ in range(rounds):
        await asyncio.sleep(0)
