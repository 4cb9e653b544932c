"""Retention of rows: executions that ended long ago go, the log keeps their history.

Only ended executions without unresolved dead letters are removed. Nothing of them can come from the
log any more, because positions never move back; a rebuild brings their rows back.
"""

from datetime import datetime

from tracker_service.store.postgres.connecting import Pool
from tracker_service.store.postgres.faults import store_errors

# Executions per transaction: short locks, and little to redo when it is interrupted.
BATCH_EXECUTIONS = 1000

_VICTIMS = """
SELECT execution_id FROM pipeline_executions AS e
WHERE status = ANY('{completed,failed,cancelled}') AND completed_at < $1
    AND NOT EXISTS (SELECT 1 FROM dead_letters AS d
        WHERE d.execution_id = e.execution_id AND d.status IN ('open', 'parked'))
ORDER BY started_at LIMIT $2
"""
_TABLES = (
    "step_attempts",
    "step_compensations",
    "interactions",
    "execution_status_changes",
    "applied_commands",
    "step_executions",
    "pipeline_executions",
)


async def prune(pool: Pool, before: datetime) -> int:
    """Remove executions that ended before a time; return how many."""
    removed = 0
    with store_errors():
        while True:
            async with pool.acquire() as connection, connection.transaction():
                rows = await connection.fetch(_VICTIMS, before, BATCH_EXECUTIONS)
                victims = [row[0] for row in rows]
                for table in _TABLES:
                    await connection.execute(
                        f"DELETE FROM {table} WHERE execution_id = ANY($1::text[])",  # noqa: S608
                        victims,
                    )
            removed += len(victims)
            if len(victims) < BATCH_EXECUTIONS:
                return removed
