"""Batches read as a whole say what the client's own records say, and the client goes on as ever."""

from typing import Any

import pytest
from aiokafka import codec
from aiokafka.consumer.fetcher import PartitionRecords
from aiokafka.record.default_records import DefaultRecordBatch
from aiokafka.record.memory_records import MemoryRecords
from aiokafka.structs import TopicPartition

from tests.tracker.compiled.batches import TIMESTAMP_MS, Parts, batch_of
from tests.tracker.histories import History
from tracker_service.log.batch_decoder import FetchedRecords, RecordsAsRead
from tracker_service.projections.record_header import FetchedHeading, Heading, read_heading

FOREIGN: Parts = (b"k", b"{}", [("a", b"b")])


def handed_over(data: bytes, *, start: int = 0, ours: bool = True) -> tuple[list[Any], int]:
    """Return what a consumer is handed of a fetched run, and where it would fetch next."""
    fetched = FetchedRecords(data) if ours else MemoryRecords(data)
    kind = RecordsAsRead if ours else PartitionRecords
    records = kind(TopicPartition("t", 0), fetched, [], start, None, None, True, 0)
    return list(records), records.next_fetch_offset


def whole(record: Any) -> tuple[Any, ...]:
    """Return all that is looked at in a record."""
    return record.offset, record.key, record.value, tuple(record.headers)


def events(execution_id: str = "e-1") -> list[Parts]:
    """Return a history of six records."""
    return [tuple(record) for record in History(execution_id).whole(steps=2)]


def headings(records: list[Any]) -> list[Any]:
    return [
        tuple(getattr(read_heading(record), name) for name in Heading.__struct_fields__)
        for record in records
    ]


def test_a_record_is_its_own_heading_and_still_the_whole_record() -> None:
    data = batch_of(events()) + batch_of(events("e-2"), base_offset=6)

    ours, theirs = handed_over(data), handed_over(data, ours=False)

    assert all(isinstance(record, FetchedHeading) for record in ours[0])
    assert headings(ours[0]) == headings(theirs[0])
    assert list(map(whole, ours[0])) == list(map(whole, theirs[0]))
    assert ours[1] == theirs[1] == 12


def test_what_others_wrote_is_handed_over_as_the_client_reads_it() -> None:
    data = batch_of([*events(), FOREIGN, *events("e-2")])

    ours, theirs = handed_over(data), handed_over(data, ours=False)

    assert list(map(whole, ours[0])) == list(map(whole, theirs[0]))
    assert [isinstance(r, FetchedHeading) for r in ours[0]] == [True] * 6 + [False] * 7


def test_a_fetch_from_the_middle_of_a_batch_begins_there() -> None:
    ours = handed_over(batch_of(events(), base_offset=40), start=43)

    assert [record.offset for record in ours[0]] == [43, 44, 45]


CODECS = {
    "gzip": (DefaultRecordBatch.CODEC_GZIP, codec.has_gzip),
    "snappy": (DefaultRecordBatch.CODEC_SNAPPY, codec.has_snappy),
    "lz4": (DefaultRecordBatch.CODEC_LZ4, codec.has_lz4),
    "zstd": (DefaultRecordBatch.CODEC_ZSTD, codec.has_zstd),
}
PRESENT = {name: number for name, (number, has) in CODECS.items() if has()}


@pytest.mark.parametrize("compression", PRESENT.values(), ids=list(PRESENT))
def test_compressed_batches_are_read_too(compression: int) -> None:
    data = batch_of(events(), compression=compression)

    ours, theirs = handed_over(data), handed_over(data, ours=False)

    assert all(isinstance(record, FetchedHeading) for record in ours[0])
    assert headings(ours[0]) == headings(theirs[0])
    assert len(data) < len(batch_of(events()))


def test_a_damaged_batch_is_refused_as_ever() -> None:
    data = bytearray(batch_of(events()))
    data[-3] ^= 1

    with pytest.raises(Exception, match="Invalid CRC"):
        handed_over(bytes(data))


def test_a_record_tells_when_its_batch_was_sent() -> None:
    ours = handed_over(batch_of(events()))[0]

    assert {record.timestamp for record in ours} == {TIMESTAMP_MS + 5}
    assert ours[0].timestamp_type == 0
