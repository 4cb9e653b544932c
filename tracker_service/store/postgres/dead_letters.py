"""Dead letters in PostgreSQL."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from tracker_service.store.dead_letters import (
    MAX_LISTED,
    Letter,
    Mend,
    Mended,
    NoSuchLetter,
    executions_of,
    read_headers,
)
from tracker_service.store.postgres.errors import store_errors
from tracker_service.store.postgres.pool import Connection, Pool
from tracker_service.store.postgres.store import load, write_rows
from tracker_service.store.write_port import RawRecord

_HEAD = (
    "id, topic, partition, log_offset, execution_id, seq, status, code, reason, epoch, "
    "set_aside_at, resolved_at"
)
_BYTES = "record_key, record_value, record_headers"
_OF_EXECUTION = f"""
SELECT {_HEAD}, {_BYTES} FROM dead_letters
WHERE id = $1 OR (execution_id = $2 AND status <> 'applied')
ORDER BY log_offset LIMIT {MAX_LISTED} FOR UPDATE
"""  # noqa: S608 - made of constants


class PostgresDeadLetters:
    """`tracker_service.store.dead_letters.DeadLetters` over a pool."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def letters(self, *, unresolved: bool, limit: int = MAX_LISTED) -> Sequence[Letter]:
        """Return letters without their bytes, oldest first."""
        condition = "status IN ('open', 'parked')" if unresolved else "true"
        with store_errors():
            rows = await self._pool.fetch(
                f"SELECT {_HEAD} FROM dead_letters WHERE {condition} "  # noqa: S608 - constants
                "ORDER BY id LIMIT $1",
                limit,
            )
        return [Letter(*tuple(row)) for row in rows]

    async def letter(self, letter_id: int) -> Letter:
        """Return one letter with its bytes."""
        with store_errors():
            row = await self._pool.fetchrow(
                f"SELECT {_HEAD}, {_BYTES} FROM dead_letters WHERE id = $1",  # noqa: S608 - constants
                letter_id,
            )
        if row is None:
            raise NoSuchLetter(f"There is no dead letter {letter_id}.")
        return _letter(row)

    async def repair(self, letter_id: int, mend: Mend) -> Mended:
        """Repair in one transaction; see the port."""
        letter = await self.letter(letter_id)
        with store_errors():
            async with self._pool.acquire() as connection, connection.transaction():
                # First the position, as a batch does: the live worker waits here, or this does.
                await connection.execute(
                    "UPDATE projection_positions SET generation = generation + 1 "
                    "WHERE topic = $1 AND partition = $2",
                    letter.topic,
                    letter.partition,
                )
                return await _repair(connection, letter, mend)


async def _repair(connection: Connection, letter: Letter, mend: Mend) -> Mended:
    rows = await connection.fetch(_OF_EXECUTION, letter.id, letter.execution_id)
    letters = [_letter(row) for row in rows]
    loaded = await load(connection, executions_of(letter))
    mended = mend(letters, loaded)
    await write_rows(connection, mended.changes, copy=False)
    await connection.executemany(
        "UPDATE dead_letters SET status = $2, resolved_at = now() WHERE id = $1",
        list(mended.resolved.items()),
    )
    if mended.stuck is not None:
        await connection.execute(
            "UPDATE dead_letters SET status = 'open', code = $2, reason = $3 WHERE id = $1",
            *mended.stuck,
        )
    return mended


def _letter(row: Any) -> Letter:
    *head, key, value, headers = tuple(row)
    return replace(Letter(*head), record=RawRecord(key, value, read_headers(headers)))
