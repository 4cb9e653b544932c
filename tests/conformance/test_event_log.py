"""The events topic on a real broker and in a file: whole batches, honest offsets, exact ranges."""

import asyncio
import itertools
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from executor_service.errors import RecordingLost
from executor_service.log.writer import PartitionWriter
from executor_service.ports.event_log import LoggedRecord
from steplog_contracts.epoch import EpochRule
from steplog_contracts.errors import UnwritablePayload
from steplog_contracts.limits import MAX_RECORD_BYTES
from tests.conformance.logs import (
    EMBEDDED,
    EVENTS_PER_APPEND,
    LogUnderTest,
    claim,
    embedded_log,
    kafka_log,
    opened,
    records,
)

ACKNOWLEDGED_BEFORE_KILL = 20


@pytest.fixture(params=["kafka", "embedded"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return where the log is: a broker's address and a file in turn."""
    if request.param == "embedded":
        return str(tmp_path / "log.db")
    return str(request.getfixturevalue("kafka_bootstrap"))


@pytest.fixture
async def under_test(place: str) -> AsyncIterator[LogUnderTest]:
    """Return an empty log, on Kafka and in a file in turn."""
    embedded = place.endswith(".db")
    async with embedded_log(Path(place)) if embedded else kafka_log(place) as log:
        yield log


async def all_of(under_test: LogUnderTest) -> list[LoggedRecord]:
    """Return every record of the log."""
    log = under_test.log
    return [logged async for logged in log.read(0, 0, await log.end_offset(0))]


async def test_an_append_tells_where_its_first_record_stands(under_test: LogUnderTest) -> None:
    log = under_test.log

    first = await log.append(0, records(3))
    second = await log.append(0, records(2))

    assert (first.base_offset, first.count) == (0, 3)
    assert (second.base_offset, second.count) == (3, 2)
    assert await log.end_offset(0) == 5


async def test_appends_at_the_same_time_stand_whole_one_after_another(
    under_test: LogUnderTest,
) -> None:
    appends = [under_test.log.append(0, records(count)) for count in (1, 2, 3, 4)]

    appended = await asyncio.gather(*appends)

    ranges = sorted((a.base_offset or 0, a.count) for a in appended)
    assert [base for base, _ in ranges] == [
        0, *itertools.accumulate(count for _, count in ranges[:-1])
    ]  # fmt: skip


async def test_a_range_is_read_exactly_as_it_was_appended(under_test: LogUnderTest) -> None:
    sent = records(10)
    await under_test.log.append(0, sent)

    read = [logged async for logged in under_test.log.read(0, 2, 7)]

    assert [logged.offset for logged in read] == [2, 3, 4, 5, 6]
    assert [(r.value, r.headers) for r in read] == [(s.value, s.headers) for s in sent[2:7]]


async def test_headers_of_any_bytes_come_back_as_they_were(under_test: LogUnderTest) -> None:
    odd = records(1)[0]._replace(value=None, headers=[("odd", b"\xff\x00\xc3\xa9"), ("odd", b"")])

    await under_test.log.append(0, [odd])

    read = (await all_of(under_test))[0]
    assert (read.value, read.headers) == (None, odd.headers)


async def test_an_empty_range_asks_nobody(under_test: LogUnderTest) -> None:
    assert [logged async for logged in under_test.log.read(0, 4, 4)] == []


async def test_more_than_a_batch_holds_goes_out_in_order(under_test: LogUnderTest) -> None:
    appended = await under_test.log.append(0, claim())
    assert appended.base_offset is not None
    writer = PartitionWriter(under_test.log, 0, appended.base_offset)

    await writer.append(records(30, output="y" * (MAX_RECORD_BYTES // 8)))

    seqs = [int(dict(r.headers)["ce_sequence"]) for r in (await all_of(under_test))[1:]]
    assert seqs == list(range(1, 31))


async def test_an_event_larger_than_the_log_takes_is_refused_before_it_is_sent(
    under_test: LogUnderTest,
) -> None:
    with pytest.raises(UnwritablePayload, match="larger than the log takes"):
        await under_test.log.append(0, records(1, output="z" * (MAX_RECORD_BYTES + 100_000)))

    assert await under_test.log.end_offset(0) == 0


async def test_a_claim_by_another_ends_the_writer(under_test: LogUnderTest) -> None:
    mine = await under_test.log.append(0, claim())
    assert mine.base_offset is not None
    writer = PartitionWriter(under_test.log, 0, mine.base_offset)
    await writer.append(records(1))
    await under_test.log.append(0, claim())

    with pytest.raises(RecordingLost, match="claimed by another"):
        await writer.append(records(1))


async def test_of_two_claims_the_later_one_says_whose_events_count(
    under_test: LogUnderTest,
) -> None:
    former = (await under_test.log.append(0, claim())).base_offset
    rightful = (await under_test.log.append(0, claim())).base_offset
    await under_test.log.append(0, records(2, epoch=former))
    await under_test.log.append(0, records(1, epoch=rightful))

    rule = EpochRule()
    taken = [
        logged.offset
        for logged in await all_of(under_test)
        for headers in [dict(logged.headers)]
        for epoch in [headers.get("ce_writerepoch")]
        if rule.admits(logged.offset, headers["ce_type"].decode(), int(epoch) if epoch else None)
    ]
    assert taken == [0, 1, 4]


async def test_what_was_acknowledged_is_there_after_its_writer_is_killed(
    under_test: LogUnderTest, tmp_path: Path
) -> None:
    """kill -9 in the middle of appending: nothing acknowledged is missing, no append is halved."""
    place = str(tmp_path / "other.db") if under_test.kind == EMBEDDED else under_test.place
    arguments = [*under_test.arguments()[:4], place, under_test.topic]
    writer = await asyncio.create_subprocess_exec(*arguments, stdout=asyncio.subprocess.PIPE)
    assert writer.stdout is not None
    told = [await writer.stdout.readline() for _ in range(ACKNOWLEDGED_BEFORE_KILL)]
    writer.kill()
    told += (await writer.stdout.read()).splitlines(keepends=True)
    await writer.wait()

    async with opened(under_test.kind, place, under_test.topic) as log:
        end = await log.end_offset(0)
        seqs = [int(dict(r.headers)["ce_sequence"]) async for r in log.read(0, 0, end)]
    assert end >= int([line for line in told if line.endswith(b"\n")][-1])
    assert seqs == list(range(1, end + 1))
    assert end % EVENTS_PER_APPEND == 0
