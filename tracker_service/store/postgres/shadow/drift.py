"""The drift check's memory: how many were checked, and which differ for as long as they do."""

from collections.abc import Mapping, Sequence

from tracker_service.store.postgres.pool import Connection

# Executions that differ are looked at again each time, but not more than these at once.
MAX_AGAIN = 20


async def known_drifted(connection: Connection, live: str, topic: str) -> list[str]:
    """Return executions found differing before, oldest first."""
    rows = await connection.fetch(
        f'SELECT execution_id FROM "{live}".drifted_executions WHERE topic = $1 '
        "ORDER BY found_at LIMIT $2",
        topic,
        MAX_AGAIN,
    )
    return [row[0] for row in rows]


async def note(
    connection: Connection,
    live: str,
    topic: str,
    checked: Sequence[str],
    drifted: Mapping[str, int],
) -> None:
    """Write down a check: which executions it looked at, and of those that differ how many rows."""
    async with connection.transaction():
        await connection.execute(
            f'DELETE FROM "{live}".drifted_executions WHERE execution_id = ANY($1::text[])',
            list(checked),
        )
        await connection.executemany(
            f'INSERT INTO "{live}".drifted_executions (execution_id, topic, drifted_rows) '
            "VALUES ($1, $2, $3)",
            [(name, topic, rows) for name, rows in drifted.items()],
        )
        await connection.execute(
            f'INSERT INTO "{live}".drift_checks AS d (topic, checked_at, checked) '
            "VALUES ($1, now(), $2) ON CONFLICT (topic) DO UPDATE SET checked_at = now(), "
            "checked = d.checked + excluded.checked",
            topic,
            len(checked),
        )


async def differing_rows(connection: Connection, shadow: str) -> dict[str, int]:
    """Return how many rows differ of each execution that was compared."""
    rows = await connection.fetch(
        f'SELECT execution_id, count(*) FROM "{shadow}".differences '
        "WHERE execution_id IS NOT NULL GROUP BY 1"
    )
    return {row[0]: row[1] for row in rows}
