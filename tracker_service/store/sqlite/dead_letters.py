"""Dead letters in SQLite."""

import sqlite3
from collections.abc import Sequence
from dataclasses import replace

from tracker_service.store.dead_letters import (
    MAX_LISTED,
    Letter,
    Mend,
    Mended,
    NoSuchLetter,
    executions_of,
    read_headers,
)
from tracker_service.store.sqlite.database import Database, now, read_time, stored
from tracker_service.store.sqlite.store import load, write_rows
from tracker_service.store.write_port import RawRecord

_COLUMNS = (
    "id, topic, partition, log_offset, execution_id, seq, status, code, reason, epoch, "
    "set_aside_at, resolved_at, record_key, record_value, record_headers"
)


class SqliteDeadLetters:
    """`tracker_service.store.dead_letters.DeadLetters` over the store's file."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def letters(self, *, unresolved: bool, limit: int = MAX_LISTED) -> Sequence[Letter]:
        """Return letters, oldest first."""
        condition = "status IN ('open', 'parked')" if unresolved else "true"
        query = (
            f"SELECT {_COLUMNS} FROM dead_letters WHERE {condition} "  # noqa: S608 - constants
            "ORDER BY id LIMIT ?"
        )
        return await self._database.run(
            lambda connection: [_letter(row) for row in connection.execute(query, (limit,))]
        )

    async def letter(self, letter_id: int) -> Letter:
        """Return one letter with its bytes."""
        return await self._database.run(lambda connection: _one(connection, letter_id))

    async def repair(self, letter_id: int, mend: Mend) -> Mended:
        """Repair in one transaction; see the port."""
        return await self._database.run(lambda connection: _repair(connection, letter_id, mend))


def _one(connection: sqlite3.Connection, letter_id: int) -> Letter:
    query = f"SELECT {_COLUMNS} FROM dead_letters WHERE id = ?"  # noqa: S608 - constants
    row = connection.execute(query, (letter_id,)).fetchone()
    if row is None:
        raise NoSuchLetter(f"There is no dead letter {letter_id}.")
    return _letter(row)


def _repair(connection: sqlite3.Connection, letter_id: int, mend: Mend) -> Mended:
    letter = _one(connection, letter_id)
    connection.execute(
        "UPDATE projection_positions SET generation = generation + 1 "
        "WHERE topic = ? AND partition = ?",
        (letter.topic, letter.partition),
    )
    rows = connection.execute(
        f"SELECT {_COLUMNS} FROM dead_letters WHERE id = ? "  # noqa: S608 - constants
        "OR (execution_id = ? AND status <> 'applied') ORDER BY log_offset LIMIT ?",
        (letter_id, letter.execution_id, MAX_LISTED),
    )
    letters = [_letter(row) for row in rows]
    mended = mend(letters, load(connection, executions_of(letter)))
    write_rows(connection, mended.changes)
    stamp = stored(now())
    connection.executemany(
        "UPDATE dead_letters SET status = ?, resolved_at = ? WHERE id = ?",
        [(status, stamp, number) for number, status in mended.resolved.items()],
    )
    if mended.stuck is not None:
        number, code, reason = mended.stuck
        connection.execute(
            "UPDATE dead_letters SET status = 'open', code = ?, reason = ? WHERE id = ?",
            (code, reason, number),
        )
    return mended


def _letter(row: sqlite3.Row) -> Letter:
    *head, set_aside_at, resolved_at, key, value, headers = tuple(row)
    times = [read_time(text) for text in (set_aside_at, resolved_at)]
    return replace(Letter(*head, *times), record=RawRecord(key, value, read_headers(headers)))
