"""Every record of a batch is read, whatever bytes its headers' names are."""

from typing import Any

import pytest
from aiokafka.consumer import fetcher
from aiokafka.errors import CorruptRecordException
from aiokafka.record.default_records import DefaultRecordBatch
from aiokafka.record.util import calc_crc32c

from steplog_kafka.clients import make_consumer
from steplog_kafka.fetched_batches import ReadableRecords, records_of
from tests.raw_names import PLACEHOLDER, RAW_NAME, with_raw_names
from tests.tracker.compiled.batches import TIMESTAMP_MS, Parts, batch_of

BEFORE: Parts = (b"k", b"1", [("ce_id", b"before")])
ODD: Parts = (b"k", None, [("ce_id", b"odd"), (PLACEHOLDER, b"x"), ("b", None)])
BEHIND: Parts = (None, b"3", [("ce_id", b"behind"), ("", b""), ("\x00", b"x" * 300)])
HEADER_BYTES = 61


def parts(record: Any) -> tuple[Any, ...]:
    """Return all that is looked at in a record."""
    return (record.offset, record.timestamp, record.key, record.value, list(record.headers))


def with_checksum(data: bytearray) -> bytes:
    """Return a batch that says it arrived as it was sent."""
    data[17:21] = calc_crc32c(bytes(data[21:])).to_bytes(4)
    return bytes(data)


@pytest.mark.parametrize("compression", range(5))  # None, gzip, snappy, lz4, zstd.
def test_what_the_client_reads_is_read_as_by_the_client(compression: int) -> None:
    data = batch_of([BEFORE, BEHIND], base_offset=7, compression=compression)

    assert list(map(parts, records_of(memoryview(data)))) == list(
        map(parts, DefaultRecordBatch(data))
    )


def test_a_name_that_is_not_utf_8_is_shown_and_the_records_around_it_are_read() -> None:
    data = with_raw_names(batch_of([BEFORE, ODD, BEHIND], base_offset=7))
    with pytest.raises((CorruptRecordException, ValueError)):
        list(DefaultRecordBatch(data))

    before, odd, behind = map(parts, records_of(memoryview(data)))

    assert before == (7, TIMESTAMP_MS, *BEFORE)
    name = RAW_NAME.decode(errors="backslashreplace")
    assert odd == (
        *(8, TIMESTAMP_MS + 1, b"k", None),
        [("ce_id", b"odd"), (name, b"x"), ("b", None)],
    )
    assert "\\xff" in name
    assert behind == (9, TIMESTAMP_MS + 2, *BEHIND)


def test_a_record_whose_parts_do_not_fit_it_comes_as_one_value() -> None:
    data = bytearray(batch_of([BEFORE, ODD, BEHIND]))
    name_length_at = data.index(PLACEHOLDER.encode()) - 1
    data[name_length_at] = 1  # As zigzag writes -1.

    before, odd, behind = map(parts, records_of(memoryview(with_checksum(data))))

    assert before[-1] == BEFORE[-1]
    assert odd[2] is None
    assert PLACEHOLDER.encode() in odd[3]
    assert odd[-1] == []
    assert behind[-1] == BEHIND[-1]


def test_a_batch_in_which_no_record_can_be_found_is_refused() -> None:
    data = bytearray(batch_of([BEFORE, BEHIND]))
    data[HEADER_BYTES] = 0x7E  # The first record's length: longer than all there is.

    with pytest.raises(CorruptRecordException):
        records_of(memoryview(with_checksum(data[: HEADER_BYTES + 20])))


async def test_every_consumer_of_ours_reads_so() -> None:
    for _ in range(2):
        await make_consumer("127.0.0.1:1").stop()

    assert issubclass(fetcher.MemoryRecords, ReadableRecords)
