"""Deferred records in their table, and what their judgement writes."""

from collections.abc import Sequence
from typing import Any, Final

from tracker_service.projections.row_changes import Changes, SetAside
from tracker_service.store.dead_letters import OPEN, PARKED, headers_text, read_headers
from tracker_service.store.postgres import statements as sql
from tracker_service.store.postgres.pool import Connection
from tracker_service.store.postgres.store import load, write_rows
from tracker_service.store.write_port import Loaded, RawRecord

# Executions judged in one transaction.
PAGE: Final = 200
Row = tuple[int, int, int | None, RawRecord]  # partition, offset, epoch in force, bytes


async def next_page(connection: Connection, after: str) -> list[str]:
    """Return the next executions with deferred records, in order of their ids."""
    rows = await connection.fetch(
        "SELECT DISTINCT execution_id FROM deferred_records "
        f"WHERE execution_id > $1 ORDER BY 1 LIMIT {PAGE}",
        after,
    )
    return [row[0] for row in rows]


async def records_of(connection: Connection, execution_id: str | None) -> list[Row]:
    """Return an execution's deferred records in log order; None: those of no execution."""
    rows = await connection.fetch(
        "SELECT partition, log_offset, epoch, record_key, record_value, record_headers "
        "FROM deferred_records WHERE execution_id IS NOT DISTINCT FROM $1 "
        "ORDER BY partition, log_offset",
        execution_id,
    )
    return [(r[0], r[1], r[2], RawRecord(r[3], r[4], read_headers(r[5]))) for r in rows]


async def states_of(connection: Connection, execution_ids: Sequence[str]) -> Loaded:
    """Return the states of executions from the shadow rows."""
    return await load(connection, list(execution_ids))


async def write_changes(connection: Connection, changes: Changes) -> None:
    """Write what a judgement changes."""
    await write_rows(connection, changes, copy=False)


async def write_letters(
    connection: Connection, topic: str, partition: int, letters: Sequence[tuple[SetAside, Any]]
) -> None:
    """Write what stays set aside: letters with their bytes."""
    rows = [
        (
            topic,
            partition,
            letter.offset,
            letter.execution_id,
            letter.seq,
            PARKED if letter.parked else OPEN,
            letter.code,
            letter.reason,
            raw.key,
            raw.value,
            headers_text(raw.headers),
            letter.epoch,
        )
        for letter, raw in letters
    ]
    if rows:
        await connection.executemany(sql.SET_ASIDE, rows)
