"""Removing rows from PostgreSQL."""

from datetime import datetime

from tracker_service.store.postgres.errors import store_errors
from tracker_service.store.postgres.pool import Pool
from tracker_service.store.pruning import (
    PRUNED_TABLES,
    Place,
    Pruned,
    batch_of,
    old_refusals_sql,
    unused_definitions_sql,
    victims_sql,
)

# A row that a repair or another pruning holds is left for the next time.
_VICTIMS = victims_sql("$1", "$2", "$3", "$4") + "FOR UPDATE OF e SKIP LOCKED"
_REFUSALS = old_refusals_sql("$1", "$2")
_UNUSED = unused_definitions_sql("$1", "$2")


async def prune(pool: Pool, before: datetime, after: Place, limit: int) -> Pruned:
    """Remove one batch of executions; see `tracker_service.store.pruning`."""
    with store_errors():
        async with pool.acquire() as connection, connection.transaction():
            rows = await connection.fetch(_VICTIMS, before, *after, limit)
            names = [row["execution_id"] for row in rows]
            for table in PRUNED_TABLES:
                await connection.execute(
                    f"DELETE FROM {table} WHERE execution_id = ANY($1::text[])",  # noqa: S608
                    names,
                )
            if names:
                await connection.execute("UPDATE read_model SET pruned_before = $1", before)
    return batch_of([(row["started_at"], row["execution_id"]) for row in rows], limit)


async def prune_refusals(pool: Pool, before: datetime, limit: int) -> int:
    """Remove old refusals of executions without a row; see `tracker_service.store.pruning`."""
    with store_errors():
        removed = await pool.fetch(
            f"DELETE FROM refused_commands WHERE command_id IN ({_REFUSALS}) RETURNING 1",  # noqa: S608
            before,
            limit,
        )
    return len(removed)


async def prune_definitions(pool: Pool, before: datetime, limit: int) -> int:
    """Remove definitions nobody has any more; see `tracker_service.store.pruning`."""
    with store_errors():
        # Most times there are none, and then no worker is made to wait.
        if not await pool.fetch(_UNUSED, before, 1):
            return 0
        async with pool.acquire() as connection, connection.transaction():
            # First the positions, as a batch does; what was written before is seen from here on.
            await connection.execute("UPDATE projection_positions SET generation = generation + 1")
            unused = await connection.fetch(
                f"DELETE FROM pipeline_definitions WHERE definition_hash IN ({_UNUSED}) "  # noqa: S608
                "RETURNING definition_hash",
                before,
                limit,
            )
    return len(unused)
