"""Headings straight out of a record batch's bytes, without an object for each record and header.

It reads what `headings.read_heading` reads, in records as an executor writes them; any other record
is left to that. It goes over single bytes, so it is worth its while only compiled (`setup.py`): it
takes a fifth then of what the client's parser and `read_heading` take together.
The format: https://kafka.apache.org/documentation/#messageformat
"""

from datetime import UTC, datetime
from typing import Final, final

from mypy_extensions import i64

from steplog_contracts.envelope import CONTENT_TYPE_JSON
from steplog_contracts.headers import MAX_ID_BYTES
from tracker_service.projections.record_header import FetchedHeading, RecordBatch

# Whether this module is compiled.
COMPILED: Final = not __file__.endswith(".py")
# Digits of a number that is read here; what is below 2**63 for certain.
MAX_DIGITS: Final = 18
NOT_TOLD: Final = -1
# Kinds whose names are kept, so that each is one string.
MAX_KINDS: Final = 1000

_kinds: dict[bytes, str] = {}


@final
class Cursor:
    """A place in the records of a batch."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at: i64 = 0

    def varint(self) -> i64:
        """Read a zigzag varint."""
        data, at = self.data, self.at
        byte: i64 = data[at]
        value: i64 = byte & 0x7F
        shift: i64 = 7
        at += 1
        while byte & 0x80:
            byte = data[at]
            value |= (byte & 0x7F) << shift
            shift += 7
            at += 1
        self.at = at
        return (value >> 1) ^ -(value & 1)

    def take(self) -> bytes | None:
        """Read bytes that stand behind their length; None where there are none."""
        length = self.varint()
        if length < 0:
            return None
        start = self.at
        self.at = start + length
        return self.data[start : self.at]

    def skip(self) -> None:
        """Go past bytes that stand behind their length."""
        length = self.varint()
        if length > 0:
            self.at += length


@final
class Attributes:
    """The headers of one record that say where it stands."""

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Forget the headers of the record before."""
        self.is_json = False
        self.kind: str | None = None
        self.execution_id: str | None = None
        self.time: datetime | None = None
        self.seq: i64 = 0
        self.epoch: i64 = NOT_TOLD
        self.causation_id: str | None = None

    def read(self, cursor: Cursor) -> None:
        """Read one header; a later one of the same name replaces an earlier one.

        Raises:
            ValueError: it is not as an executor writes it.
        """
        # Looked at by their length first: it saves comparing every name with every other.
        length = cursor.varint()
        start = cursor.at
        cursor.at = start + length
        if length == 7:
            self._read_kind_or_time(cursor.data[start : cursor.at], cursor)
        elif length == 10 and cursor.data[start : cursor.at] == b"ce_subject":
            self.execution_id = _execution_id(_told(cursor))
        elif length == 11 and cursor.data[start : cursor.at] == b"ce_sequence":
            self.seq = _number(_told(cursor))
        elif length == 12 and cursor.data[start : cursor.at] == b"content-type":
            self.is_json = cursor.take() == CONTENT_TYPE_JSON
        elif length == 14:
            self._read_writer_or_cause(cursor.data[start : cursor.at], cursor)
        else:
            cursor.skip()

    def _read_kind_or_time(self, name: bytes, cursor: Cursor) -> None:
        if name == b"ce_type":
            self.kind = _kind(_told(cursor))
        elif name == b"ce_time":
            self.time = _time(_told(cursor))
        else:
            cursor.skip()

    def _read_writer_or_cause(self, name: bytes, cursor: Cursor) -> None:
        if name == b"ce_writerepoch":
            self.epoch = _number(_told(cursor))
        elif name == b"ce_causationid":
            self.causation_id = _name(_told(cursor))
        else:
            cursor.skip()


def headings_in(
    records: bytes, count: int, base_offset: int, batch: RecordBatch
) -> list[FetchedHeading]:
    """Return the headings of the records up to the first that has to be read otherwise.

    `records` is what follows the batch's header, not compressed; count and offset stand in that
    header.
    """
    cursor = Cursor(records)
    first: i64 = base_offset
    told = Attributes()
    found: list[FetchedHeading] = []
    for _ in range(count):
        end = cursor.varint()
        end += cursor.at
        cursor.at += 1  # Attributes, of which none is defined.
        cursor.varint()  # Its time.
        offset = first + cursor.varint()
        cursor.skip()
        heading = _heading(cursor, told, offset, batch)
        if heading is None:
            break
        found.append(heading)
        cursor.at = end
    return found


def _heading(
    cursor: Cursor, told: Attributes, offset: i64, batch: RecordBatch
) -> FetchedHeading | None:
    value = cursor.take()
    told.clear()
    try:
        for _ in range(cursor.varint()):
            told.read(cursor)
    except (ValueError, IndexError):
        return None
    kind, execution_id, time = told.kind, told.execution_id, told.time
    if value is None or kind is None or execution_id is None or time is None or not told.is_json:
        return None
    epoch = None if told.epoch == NOT_TOLD else told.epoch
    cause = told.causation_id
    return FetchedHeading(offset, kind, execution_id, told.seq, time, epoch, cause, value, batch)


def _told(cursor: Cursor) -> bytes:
    value = cursor.take()
    if value is None:
        raise ValueError
    return value


def _kind(name: bytes) -> str:
    kind = _kinds.get(name)
    if kind is None:
        kind = _name(name)
        if not kind:
            raise ValueError
        if len(_kinds) < MAX_KINDS:
            _kinds[name] = kind
    return kind


def _execution_id(name: bytes) -> str:
    execution_id = _name(name)
    if not execution_id or "\x00" in execution_id:
        raise ValueError
    return execution_id


def _name(name: bytes) -> str:
    if len(name) > MAX_ID_BYTES:
        raise ValueError
    return name.decode()


def _time(text: bytes) -> datetime:
    time = datetime.fromisoformat(text.decode())
    if time.tzinfo is not UTC:
        raise ValueError  # Read elsewhere, where it is brought to UTC or refused.
    return time


def _number(text: bytes) -> i64:
    digits: i64 = len(text)
    if not 0 < digits <= MAX_DIGITS:
        raise ValueError
    number: i64 = 0
    at: i64 = 0
    while at < digits:
        digit: i64 = text[at]
        if not 48 <= digit <= 57:
            raise ValueError
        number = number * 10 + digit - 48
        at += 1
    return number
