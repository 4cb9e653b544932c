"""Rows as PostgreSQL's COPY takes them in binary, written field by field into one buffer.

The format: https://www.postgresql.org/docs/current/sql-copy.html, "Binary Format". What is written
stays here until `taken`; a stream is `HEADER`, any number of such pieces, `TRAILER`.
"""

from datetime import UTC, datetime
from typing import Final

from librt.strings import BytesWriter, write_f64_be, write_i16_be, write_i32_be, write_i64_be
from mypy_extensions import i16, i32, i64

HEADER: Final = b"PGCOPY\n\xff\r\n\x00" + bytes(8)
TRAILER: Final = b"\xff\xff"
_NULL: Final[i32] = -1
# Times count from here, in microseconds.
_EPOCH: Final = datetime(2000, 1, 1, tzinfo=UTC)
_DAY_S: Final[i64] = 86_400
_SECOND_US: Final[i64] = 1_000_000


def microseconds(time: datetime) -> i64:
    """Return a time as PostgreSQL counts it."""
    since = time - _EPOCH
    days: i64 = since.days
    seconds: i64 = since.seconds
    rest: i64 = since.microseconds
    return (days * _DAY_S + seconds) * _SECOND_US + rest


class CopyRows:
    """Rows of one table, in the order of the columns COPY is given."""

    def __init__(self) -> None:
        self._out = BytesWriter()
        self.count: i64 = 0

    def row(self, fields: i16) -> None:
        """Begin a row of so many fields."""
        self.count += 1
        write_i16_be(self._out, fields)

    def null(self) -> None:
        """Write a field without a value."""
        write_i32_be(self._out, _NULL)

    def text(self, value: bytes) -> None:
        """Write text or JSON, in UTF-8."""
        length: i64 = len(value)
        write_i32_be(self._out, i32(length))
        self._out.write(value)

    def integer(self, value: i32) -> None:
        """Write an `integer`."""
        write_i32_be(self._out, 4)
        write_i32_be(self._out, value)

    def bigint(self, value: i64) -> None:
        """Write a `bigint`, or a `timestamptz` as `microseconds` gives it."""
        write_i32_be(self._out, 8)
        write_i64_be(self._out, value)

    def number(self, value: float) -> None:
        """Write a `double precision`."""
        write_i32_be(self._out, 8)
        write_f64_be(self._out, value)

    def taken(self) -> bytes:
        """Return what was written and begin anew."""
        written, self._out = self._out.getvalue(), BytesWriter()
        self.count = 0
        return written
