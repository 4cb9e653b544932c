"""Upserts of many rows in few statements.

A statement gives Python's interpreter lock up and takes it back, and where an event loop runs in
the same process each time may cost milliseconds: rows one by one would wait longer than they work.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any, Final

from tracker_service.store.sql.columns import Table, upsert_sql
from tracker_service.store.sqlite.database import stored

# Rows in one statement; few sizes, so that SQLite's prepared statements are found again. The widest
# table has 31 columns, and SQLite allows 32,766 values (its limits page).
SIZES: Final = (64, 16, 4, 1)
_TIME: Final = "timestamptz"


def write(connection: sqlite3.Connection, table: Table[Any], rows: Sequence[Sequence[Any]]) -> None:
    """Upsert rows, in the caller's transaction."""
    times = [index for index, column in enumerate(table.columns) if column.type == _TIME]
    for some in _in_sizes(rows):
        values: list[Any] = []
        for row in some:
            first = len(values)
            values += row
            for index in times:
                values[first + index] = stored(row[index])
        connection.execute(_statement(table, len(some)), values)


def _in_sizes(rows: Sequence[Sequence[Any]]) -> Iterator[Sequence[Sequence[Any]]]:
    start = 0
    while start < len(rows):
        size = next(size for size in SIZES if size <= len(rows) - start)
        yield rows[start : start + size]
        start += size


@cache
def _statement(table: Table[Any], count: int) -> str:
    row = f"({', '.join('?' * len(table.columns))})"
    return upsert_sql(table, f"VALUES {', '.join([row] * count)}")
