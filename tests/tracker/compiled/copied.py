"""Rows out of PostgreSQL's binary COPY format, read by the types of their columns."""

import struct
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from tracker_service.compiled.pg_copy_writer import CopyRows
from tracker_service.store.sql.tables import VISITS

_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
_READ: dict[str, Callable[[bytes], Any]] = {
    "text": bytes.decode,
    "json": bytes.decode,
    "integer": lambda field: struct.unpack(">i", field)[0],
    "bigint": lambda field: struct.unpack(">q", field)[0],
    "float8": lambda field: struct.unpack(">d", field)[0],
    "timestamptz": lambda field: _EPOCH + timedelta(microseconds=struct.unpack(">q", field)[0]),
}


def copied_rows(rows: CopyRows) -> Iterator[tuple[Any, ...]]:
    """Take rows of visits and yield them as tuples in the order of their columns."""
    data, at = rows.taken(), 0
    while at < len(data):
        (count,) = struct.unpack_from(">h", data, at)
        assert count == len(VISITS.columns)
        at += 2
        row: list[Any] = []
        for column in VISITS.columns:
            (length,) = struct.unpack_from(">i", data, at)
            at += 4
            field = data[at : at + max(length, 0)]
            row.append(None if length < 0 else _READ[column.type](field))
            at += len(field)
        yield tuple(row)
