"""An append counts when it is acknowledged and contiguous, and not otherwise."""

import asyncio

import pytest

from executor_service.errors import RecordingLost
from executor_service.log.writer import PartitionWriter
from executor_service.ports.event_log import Appended
from steplog_contracts.encoder import ExecutionEncoder
from steplog_contracts.envelope import Record
from steplog_contracts.events import Event, PartitionClaimed, StepStarted
from tests.executor.support.fakes import FakeEventLog, SharedLog, settle

TIME = b"2026-01-01T00:00:00.000000+00:00"


def a_record(event: Event | None = None, seq: int = 1, epoch: int | None = None) -> Record:
    """Return an encoded event."""
    encoder = ExecutionEncoder("e-1", source="/test", writer_epoch=epoch)
    return encoder.encode(event or StepStarted(step_id="a"), seq=seq, time=TIME)


def a_claim() -> Record:
    """Return somebody else's claim."""
    return a_record(PartitionClaimed(partition=0, owner="other"), seq=0)


def claimed(shared: SharedLog) -> PartitionWriter:
    """Return the writer of partition 0 right after its claim."""
    epoch = shared.land(0, [a_claim()])
    return PartitionWriter(FakeEventLog(shared), 0, epoch)


async def test_appends_made_together_travel_as_one_batch() -> None:
    shared = SharedLog(held=True)
    writer = claimed(shared)
    appends = [asyncio.create_task(writer.append([a_record(seq=n)])) for n in range(1, 6)]
    await settle()

    assert [len(flight.records) for flight in shared.flights] == [5]

    shared.deliver(shared.flights[0])
    await asyncio.gather(*appends)


async def test_the_next_batch_fills_while_one_is_in_flight() -> None:
    shared = SharedLog(held=True)
    writer = claimed(shared)
    first = asyncio.create_task(writer.append([a_record(seq=1)]))
    await settle()
    others = [asyncio.create_task(writer.append([a_record(seq=n)])) for n in (2, 3)]
    await settle()

    assert len(shared.flights) == 1

    shared.deliver(shared.flights[0])
    await first
    await settle()
    assert [len(flight.records) for flight in shared.flights] == [2]
    shared.deliver(shared.flights[0])
    await asyncio.gather(*others)


async def test_a_claim_in_the_hole_makes_the_append_void() -> None:
    shared = SharedLog()
    writer = claimed(shared)
    shared.land(0, [a_claim()])

    with pytest.raises(RecordingLost, match="claimed by another"):
        await writer.append([a_record()])

    assert writer.lost


async def test_after_losing_nothing_more_is_appended() -> None:
    shared = SharedLog()
    writer = claimed(shared)
    shared.land(0, [a_claim()])
    with pytest.raises(RecordingLost):
        await writer.append([a_record()])
    length = len(shared.partitions[0])

    with pytest.raises(RecordingLost):
        await writer.append([a_record(seq=2)])

    assert len(shared.partitions[0]) == length


async def test_whoever_waits_behind_a_void_append_learns_it_too() -> None:
    shared = SharedLog(held=True)
    writer = claimed(shared)
    first = asyncio.create_task(writer.append([a_record(seq=1)]))
    await settle()
    second = asyncio.create_task(writer.append([a_record(seq=2)]))
    await settle()
    shared.land(0, [a_claim()])
    shared.deliver(shared.flights[0])

    ends = await asyncio.gather(first, second, return_exceptions=True)

    assert [type(end) for end in ends] == [RecordingLost, RecordingLost]


async def test_a_hole_without_a_claim_is_passed_over() -> None:
    """A program that records its own execution appended in between."""
    shared = SharedLog()
    writer = claimed(shared)
    shared.land(0, [a_record(seq=1)])

    await writer.append([a_record(seq=2)])

    assert writer.next_offset == 3


class ForgetfulLog(FakeEventLog):
    """Acknowledges as a broker does that recognised a repeat: without an offset."""

    async def append(self, partition: int, records: list[Record]) -> Appended:  # type: ignore[override]
        """Land and forget where."""
        landed = await super().append(partition, records)
        return Appended(None, landed.count)


async def test_an_acknowledgement_without_an_offset_is_looked_up_in_the_log() -> None:
    shared = SharedLog()
    epoch = shared.land(0, [a_claim()])
    writer = PartitionWriter(ForgetfulLog(shared), 0, epoch)

    await writer.append([a_record(seq=1), a_record(seq=2)])

    assert writer.next_offset == 3


class SmallLog(FakeEventLog):
    """Takes two records at a time."""

    async def append(self, partition: int, records: list[Record]) -> Appended:  # type: ignore[override]
        """Take what fits."""
        return await super().append(partition, records[:2])


async def test_what_does_not_fit_one_batch_follows_in_order() -> None:
    shared = SharedLog()
    epoch = shared.land(0, [a_claim()])
    writer = PartitionWriter(SmallLog(shared), 0, epoch)

    await writer.append([a_record(seq=n) for n in range(1, 6)])

    assert [taken.envelope.seq for taken in shared.taken()[1:]] == [1, 2, 3, 4, 5]


async def test_a_fault_of_the_log_ends_the_writer_and_is_told_to_all() -> None:
    class BrokenLog(FakeEventLog):
        async def append(self, partition: int, records: object) -> Appended:
            raise RuntimeError("the producer is fenced")

    shared = SharedLog()
    writer = PartitionWriter(BrokenLog(shared), 0, shared.land(0, [a_claim()]))

    with pytest.raises(RecordingLost, match="fenced"):
        await writer.append([a_record()])
