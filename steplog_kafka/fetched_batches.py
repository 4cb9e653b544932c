"""Record batches as they were fetched, read also where aiokafka 0.14 gives up.

A header's name is any bytes to a broker; aiokafka raises where it is not UTF-8, and then no reader
gets past that place, ever. Batches are read as aiokafka does it. Only where that fails, each record
is read by itself: what is not UTF-8 in a name stands as `\\xff`, which is no name of ours, and a
record whose parts can't be told apart comes as one value without headers.

The hooks are `fetcher.MemoryRecords`, `_MemoryRecordsPy` and `_DefaultRecordBatchPy`.
"""

from collections.abc import Iterator
from typing import Any, Final

from aiokafka.consumer import fetcher
from aiokafka.errors import CorruptRecordException
from aiokafka.record.default_records import (
    DefaultRecordBatch,
    _DefaultRecordBatchPy,
    _DefaultRecordPy,
)
from aiokafka.record.memory_records import _MemoryRecordsPy
from aiokafka.record.util import decode_varint

MAGIC_AT: Final = 16
# Batches of older formats have no headers.
HEADERS_SINCE_MAGIC: Final = 2

Header = tuple[str, bytes | None]


class ReadableBatch:
    """A record batch as the client has it, but for how its records are read."""

    def __init__(self, batch: Any, data: memoryview) -> None:
        self._batch = batch
        self._data = data

    def __getattr__(self, name: str) -> Any:
        return getattr(self._batch, name)

    def __iter__(self) -> Iterator[Any]:
        return records_of(self._data)


class ReadableRecords(_MemoryRecordsPy):  # type: ignore[misc]  # aiokafka is untyped here.
    """The batches of a fetched run."""

    def next_batch(self, *args: int) -> Any:
        """Return the next batch."""
        data = self._next_slice
        batch = super().next_batch(*args)
        if data is None or data[MAGIC_AT] < HEADERS_SINCE_MAGIC or batch.is_control_batch:
            return batch
        return self.batch_of(batch, data)

    def batch_of(self, batch: Any, data: memoryview) -> Any:
        """Return the batch that stands for one with records in it."""
        return ReadableBatch(batch, data)


def install_readable_records() -> None:
    """Have every consumer of this process read batches so; more than once changes nothing."""
    if not issubclass(fetcher.MemoryRecords, ReadableRecords):
        fetcher.MemoryRecords = ReadableRecords


def records_of(data: memoryview) -> Iterator[Any]:
    """Return a batch's records, with `offset`, `key`, `value`, `headers` and the like.

    Raises:
        CorruptRecordException: it can't even be told where each record begins.
    """
    try:
        return iter(list(DefaultRecordBatch(data)))
    except (CorruptRecordException, ValueError):
        return iter(list(_RecordByRecord(data)))


class _RecordByRecord(_DefaultRecordBatchPy):  # type: ignore[misc]
    """A batch of which no record keeps those behind it from being read."""

    _pos: int

    def _read_msg(self, *_: Any) -> Any:
        length, start = decode_varint(self._buffer, self._pos)
        self._pos = start + length
        if not start < self._pos <= len(self._buffer):
            raise CorruptRecordException(f"A record of {length} bytes can't stand here.")
        parts = _Parts(self._buffer[start : self._pos])
        parts.number()  # Attributes, of which none is defined.
        delta_ms, delta = parts.number(), parts.number()
        by_broker = self.timestamp_type == self.LOG_APPEND_TIME
        stamp_ms = self.max_timestamp if by_broker else self.first_timestamp + delta_ms
        key, value, headers = parts.rest()
        return _DefaultRecordPy(
            self.base_offset + delta, stamp_ms, self.timestamp_type, key, value, headers
        )


class _Parts:
    """The parts of one record, taken one after another."""

    def __init__(self, data: bytearray) -> None:
        self._data = data
        self._at = 0

    def number(self) -> int:
        """Take a number."""
        found, self._at = decode_varint(self._data, self._at)
        return int(found)

    def rest(self) -> tuple[bytes | None, bytes | None, list[Header]]:
        """Take key, value and headers; what is no such thing is a value as a whole."""
        try:
            key, value = self._optional(), self._optional()
            headers = [self._header() for _ in range(self.number())]
        except (ValueError, IndexError):
            return None, bytes(self._data), []
        if self._at != len(self._data):
            return None, bytes(self._data), []
        return key, value, headers

    def _header(self) -> Header:
        name = self._optional()
        if name is None:
            raise ValueError("A header without a name.")
        return name.decode(errors="backslashreplace"), self._optional()

    def _optional(self) -> bytes | None:
        length = self.number()
        if length < 0:
            return None
        start, self._at = self._at, self._at + length
        if self._at > len(self._data):
            raise ValueError("A part that goes on behind the record's end.")
        return bytes(self._data[start : self._at])
