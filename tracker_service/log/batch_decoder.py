"""What a Kafka client fetched, its record batches read as a whole.

aiokafka makes an object of every record and of every header in it, which takes longer than folding
them. A process that reads nothing but the events topic has `read_batches` put `FetchedBatch` in
between: all else of the client (fetching, checksums, transactions, positions) stays as it is. The
hooks are names of aiokafka 0.14, which pyproject.toml pins: `PartitionRecords`, `_consumer_record`
and those of `steplog_kafka.fetched_batches` (held by tests/tracker/log/test_batch_decoder.py).
"""

from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any, Final

from aiokafka import codec
from aiokafka.consumer import fetcher
from aiokafka.record.default_records import DefaultRecordBatch

from steplog_kafka.fetched_batches import ReadableBatch, ReadableRecords, records_of
from tracker_service.compiled.header_parser import COMPILED, headings_in
from tracker_service.projections.record_header import FetchedHeading, LogRecord

# Bytes of a batch before its records, and where in them their number stands.
HEADER_BYTES: Final = 61
COUNT_AT: Final = 57
# Of the codecs that are installed; for any other the client says what is missing.
_DECOMPRESS: Final[dict[int, Callable[[bytes], bytes]]] = {
    number: decode
    for number, is_there, decode in (
        (DefaultRecordBatch.CODEC_NONE, lambda: True, bytes),
        (DefaultRecordBatch.CODEC_GZIP, codec.has_gzip, codec.gzip_decode),
        (DefaultRecordBatch.CODEC_SNAPPY, codec.has_snappy, codec.snappy_decode),
        (DefaultRecordBatch.CODEC_LZ4, codec.has_lz4, codec.lz4_decode),
        (DefaultRecordBatch.CODEC_ZSTD, codec.has_zstd, codec.zstd_decode),
    )
    if is_there()
}


class FetchedBatch(ReadableBatch):
    """A record batch whose records come as headings as far as they can be read so."""

    def __init__(self, batch: Any, data: memoryview) -> None:
        super().__init__(batch, data)
        self._by_offset: dict[int, LogRecord] = {}
        self.max_timestamp: int = batch.max_timestamp
        self.timestamp_type: int | None = batch.timestamp_type

    def __iter__(self) -> Iterator[FetchedHeading | LogRecord]:
        """Yield headings from the first on, and records from the first that has to be read so."""
        decompress = _DECOMPRESS.get(self._batch.compression_type)
        if decompress is None:
            yield from records_of(self._data)
            return
        records = decompress(bytes(self._data[HEADER_BYTES:]))
        count = int.from_bytes(self._data[COUNT_AT:HEADER_BYTES], "big")
        found = headings_in(records, count, self._batch.base_offset, self)
        yield from found
        if len(found) < count:
            yield from islice(records_of(self._data), len(found), None)

    def record(self, offset: int) -> LogRecord:
        """Return one of the records, whole."""
        if not self._by_offset:
            self._by_offset = {record.offset: record for record in records_of(self._data)}
        return self._by_offset[offset]


class FetchedRecords(ReadableRecords):
    """The batches of a fetched run."""

    def batch_of(self, batch: Any, data: memoryview) -> Any:
        """Return the batch that stands for one with records in it."""
        return FetchedBatch(batch, data)


class RecordsAsRead(fetcher.PartitionRecords):  # type: ignore[misc]
    """A fetched run of records as they were read.

    aiokafka copies each into a dataclass of its own, which costs half as much again as parsing it;
    what is looked at is in either.
    """

    def _consumer_record(self, tp: Any, record: Any) -> Any:
        del tp
        return record


def read_batches() -> None:
    """Have every consumer of this process hand over records as they are read here."""
    fetcher.PartitionRecords = RecordsAsRead
    if COMPILED:
        fetcher.MemoryRecords = FetchedRecords
