"""A log that lost records the rows were made from is noticed, and nothing is passed over."""

from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime

import pytest

from steplog_contracts.events import PartitionClaimed
from tests.conformance.stores import TOPIC, ReadModelUnderTest
from tests.tracker.histories import History, Log, LogEntry
from tracker_service.log.events_log import EventsLog, LogBounds
from tracker_service.log.log_loss import LossCheck

PARTITIONS = 1


@dataclass
class MemoryLog(EventsLog):
    """A partition in memory; satisfies `EventsLog`."""

    log: Log = field(default_factory=Log)
    begin: int = 0
    partitions: int = PARTITIONS
    connections: int = 0

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[EventsLog]:
        """Count who looks."""
        self.connections += 1
        yield self

    @property
    def entries(self) -> list[LogEntry]:
        """The records there are."""
        return self.log.entries

    async def bounds(self) -> LogBounds:
        """Return where it begins and ends."""
        numbers = range(self.partitions)
        return LogBounds(dict.fromkeys(numbers, self.begin), dict.fromkeys(numbers, self.end))

    @property
    def end(self) -> int:
        """The next offset."""
        return len(self.entries)

    async def offsets_at(self, time: datetime) -> Mapping[int, int]:
        """Nobody asks."""
        raise NotImplementedError

    async def read(
        self, partition: int, start: int, end: int
    ) -> AsyncGenerator[Sequence[LogEntry], None]:
        """Yield a range."""
        if found := self.entries[start:end]:
            yield found

    def add(self, *names: str) -> list[LogEntry]:
        """Append whole executions and return their records."""
        before = self.end
        for name in names:
            self.log.append(History(name).whole())
        return self.entries[before:]

    def lose_tail(self, length: int) -> None:
        """Only so many records are left."""
        del self.entries[length:]


@pytest.fixture
def log() -> MemoryLog:
    """Return an empty log."""
    return MemoryLog()


@pytest.fixture
def check(rows: ReadModelUnderTest, log: MemoryLog) -> LossCheck:
    """Return a check of the rows against the log."""
    return LossCheck(rows.store, log, TOPIC)


async def tracker(rows: ReadModelUnderTest) -> str:
    """Return what every answer says of the tracker."""
    return (await rows.model.freshness(TOPIC)).tracker


async def test_a_whole_log_is_no_loss(
    rows: ReadModelUnderTest, log: MemoryLog, check: LossCheck
) -> None:
    await rows.receives(log.add("e-1"))
    log.add("e-2")

    assert await check.run([0]) == {}
    assert await tracker(rows) != "log_lost_records"


async def test_all_partitions_are_looked_at_over_one_connection(
    rows: ReadModelUnderTest, log: MemoryLog, check: LossCheck
) -> None:
    await rows.receives(log.add("e-1"))

    await check.run(range(PARTITIONS))

    assert log.connections == 1


async def test_a_log_that_ends_before_the_position_is_never_fresh(
    rows: ReadModelUnderTest, log: MemoryLog, check: LossCheck
) -> None:
    await rows.receives(log.add("e-1", "e-2"))
    log.lose_tail(5)

    lost = await check.run([0])
    freshness = await rows.model.freshness(TOPIC)

    assert "`steplog rebuild`" in lost[0]
    assert freshness.tracker == "log_lost_records"
    assert freshness.lost_reason == lost[0]
    assert freshness.partitions[0].end_offset == 5


async def test_a_log_that_has_grown_past_the_position_again_is_recognised(
    rows: ReadModelUnderTest, log: MemoryLog, check: LossCheck
) -> None:
    await rows.receives(log.add("e-1", "e-2"))
    log.lose_tail(5)
    log.add("e-3", "e-4", "e-5")

    lost = await check.run([0])

    assert "is not the one that was applied" in lost[0]


async def test_nothing_is_applied_behind_a_loss(
    rows: ReadModelUnderTest, log: MemoryLog, check: LossCheck
) -> None:
    await rows.receives(log.add("e-1", "e-2"))
    position = log.end
    log.lose_tail(5)
    log.add("e-3", "e-4", "e-5")
    await check.run([0])
    after = rows.worker()

    await after.apply(0, log.entries[position:])
    await rows.receives(log.entries[position:])

    known = await rows.store.positions(TOPIC, [0])
    assert known[0].next_offset == position
    assert {row["execution_id"] for row in await rows.recent()} == {"e-1", "e-2"}


async def test_a_worker_that_is_handed_a_strange_claim_looks_at_the_log_before_it_applies(
    rows: ReadModelUnderTest, log: MemoryLog, check: LossCheck
) -> None:
    """Nothing else would show the loss between two looks: every offset is there again."""
    log.log.append([History("claim").at(0, PartitionClaimed(partition=0, owner="a"))])
    log.log.append(History("e-1", epoch=0).whole())
    await rows.receives(log.entries)
    position = log.end
    log.lose_tail(2)
    log.log.append([History("claim").at(0, PartitionClaimed(partition=0, owner="b"))])
    for number in range(3):
        log.log.append(History(f"new-{number}", epoch=2).whole())
    rows.projector.is_whole = check.is_whole

    await rows.receives(log.entries[position:])

    assert await tracker(rows) == "log_lost_records"
    assert (await rows.store.positions(TOPIC, [0]))[0].next_offset == position


async def test_a_header_that_lies_about_its_claim_stops_nothing(
    rows: ReadModelUnderTest, log: MemoryLog, check: LossCheck
) -> None:
    log.log.append([History("claim").at(0, PartitionClaimed(partition=0, owner="a"))])
    log.log.append(History("e-1", epoch=0).whole())
    await rows.receives(log.entries)
    position = log.end
    log.log.append(History("liar", epoch=2).whole())
    log.log.append(History("e-2", epoch=0).whole())
    rows.projector.is_whole = check.is_whole

    await rows.receives(log.entries[position:])

    assert (await rows.execution("e-2"))["status"] == "completed"


async def test_records_removed_before_they_were_applied_are_a_loss(
    rows: ReadModelUnderTest, log: MemoryLog, check: LossCheck
) -> None:
    await rows.receives(log.add("e-1"))
    position = log.end
    log.add("e-2")
    log.begin = position + 2

    lost = await check.run([0])

    assert f"Records {position} to {position + 1}" in lost[0]
    assert await tracker(rows) == "log_lost_records"


async def test_another_number_of_partitions_is_a_loss(
    rows: ReadModelUnderTest, log: MemoryLog, check: LossCheck
) -> None:
    await rows.receives(log.add("e-1"))
    log.partitions = 3

    lost = await check.run([0])

    assert "has 3 partitions but the rows are made from 1" in lost[0]


async def test_a_log_whose_records_came_back_is_applied_again(
    rows: ReadModelUnderTest, log: MemoryLog, check: LossCheck
) -> None:
    await rows.receives(log.add("e-1", "e-2"))
    kept = list(log.entries)
    log.lose_tail(5)
    await check.run([0])
    log.entries[:] = kept

    assert await check.run([0]) == {}
    await rows.receives(log.add("e-3"))
    assert (await rows.execution("e-3"))["status"] == "completed"


async def test_rows_of_an_older_version_are_checked_once_they_have_moved(
    rows: ReadModelUnderTest, log: MemoryLog, check: LossCheck
) -> None:
    """Before its first batch nothing is known of the record before the position."""
    await rows.store.positions(TOPIC, [0])

    assert await check.run([0]) == {}


async def test_the_end_seen_while_others_apply_is_no_loss(
    rows: ReadModelUnderTest, log: MemoryLog
) -> None:
    await rows.receives(log.add("e-1"))

    await rows.store.observe_ends(TOPIC, {0: log.end - 2})

    freshness = await rows.model.freshness(TOPIC)
    assert freshness.partitions[0].end_offset == log.end
