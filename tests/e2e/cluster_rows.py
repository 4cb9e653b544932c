"""The two tables as the judge compares them."""

import json

import asyncpg

from tests.e2e.cluster_log import Rows

_EXECUTIONS = "SELECT execution_id, status, seq FROM pipeline_executions"
_STEPS = """
    SELECT execution_id, step_id, iteration, status, output_data FROM step_executions
    WHERE started_at IS NOT NULL
"""
_IS_READY = "SELECT to_regclass('pipeline_executions') IS NOT NULL"


async def read_rows(database_url: str) -> dict[str, Rows]:
    """Return every execution with its begun steps."""
    database = await asyncpg.connect(database_url)
    try:
        executions, steps = await database.fetch(_EXECUTIONS), await database.fetch(_STEPS)
    finally:
        await database.close()
    rows = {row["execution_id"]: Rows(row["status"], row["seq"]) for row in executions}
    for step in steps:
        output = json.loads(step["output_data"]) if step["status"] == "completed" else None
        visit = step["step_id"], step["iteration"]
        rows[step["execution_id"]].steps[visit] = (step["status"], output)
    return rows


async def rows_statuses(database_url: str, *, ready: bool = False) -> dict[str, str]:
    """Return each execution's status; with `ready` only whether there are tables.

    Nothing while the database is away.
    """
    try:
        database = await asyncpg.connect(database_url, timeout=5)
        try:
            if ready:
                return {"ready": "yes"} if await database.fetchval(_IS_READY) else {}
            return {row["execution_id"]: row["status"] for row in await database.fetch(_EXECUTIONS)}
        finally:
            await database.close()
    except (OSError, asyncpg.PostgresError, TimeoutError):
        return {}
