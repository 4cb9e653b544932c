"""Rows as tests wait for them."""

import asyncio
import time

import asyncpg

TIMEOUT_S = 60.0
POLL_S = 0.05
_ENDED = "SELECT count(*) FROM pipeline_executions WHERE completed_at IS NOT NULL"
_STATUS = "SELECT status FROM pipeline_executions WHERE execution_id = $1"


async def ended_rows(database: asyncpg.Connection, at_least: int) -> int:
    """Return how many executions have ended once that many rows say so."""
    deadline = time.monotonic() + TIMEOUT_S
    while (ended := await _value(database, _ENDED) or 0) < at_least:
        assert time.monotonic() < deadline, f"only {ended} of {at_least} executions have ended"
        await asyncio.sleep(POLL_S)
    return int(ended)


async def row_with_status(
    database: asyncpg.Connection, execution_id: str, status: str
) -> asyncpg.Record:
    """Return an execution's row once it has a status."""
    deadline = time.monotonic() + TIMEOUT_S
    while (found := await _value(database, _STATUS, execution_id)) != status:
        assert time.monotonic() < deadline, f"{execution_id} is {found}, not {status}"
        await asyncio.sleep(POLL_S)
    row = await database.fetchrow(
        "SELECT * FROM pipeline_executions WHERE execution_id = $1", execution_id
    )
    assert row is not None
    return row


async def _value(database: asyncpg.Connection, sql: str, *arguments: object) -> object:
    try:
        return await database.fetchval(sql, *arguments)
    except asyncpg.UndefinedTableError:
        return None  # The worker has not applied its migrations yet.
