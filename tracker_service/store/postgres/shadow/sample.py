"""Executions chosen by chance."""

from tracker_service.store.postgres.pool import Connection

_ANY = 'SELECT execution_id FROM "{live}".pipeline_executions ORDER BY random() LIMIT $1'
# Of the newest that ended, some; and some wherever a random id falls among the others.
_RECENT = """
SELECT execution_id FROM (
    SELECT execution_id FROM "{live}".pipeline_executions
    WHERE status = ANY('{{completed,failed,cancelled}}'::text[])
    ORDER BY started_at DESC, execution_id DESC LIMIT $2
) AS newest ORDER BY random() LIMIT $1
"""
_ANYWHERE = """
SELECT execution_id FROM "{live}".pipeline_executions
WHERE execution_id >= $2 AND completed_at IS NOT NULL ORDER BY execution_id LIMIT $1
"""
NEWEST = 500


async def any_executions(connection: Connection, live: str, count: int) -> list[str]:
    """Return so many executions, or all if there are fewer; reads the whole key index."""
    return [row[0] for row in await connection.fetch(_ANY.format(live=live), count)]


async def a_few_ended(connection: Connection, live: str, count: int, beyond: str) -> list[str]:
    """Return a few ended executions: half of the newest, half from an id on; reads little."""
    recent = await connection.fetch(_RECENT.format(live=live), count - count // 2, NEWEST)
    anywhere = await connection.fetch(_ANYWHERE.format(live=live), count // 2, beyond)
    return sorted({row[0] for row in (*recent, *anywhere)})
