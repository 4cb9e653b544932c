"""Keys and indexes are built when the rows are there: both big tables side by side."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
import pytest

from tests.integration.tracker_load import until
from tracker_service.store.errors import RowsRejected
from tracker_service.store.postgres.errors import store_errors
from tracker_service.store.postgres.migrations_runner import migrate_in
from tracker_service.store.postgres.pool import Pool, open_pool
from tracker_service.store.postgres.shadow import schema

pytestmark = pytest.mark.database
SCHEMA = schema.SHADOW_SCHEMA
# Without their schemas' names.
INDEXES = """
SELECT tablename, replace(indexdef, schemaname || '.', '') FROM pg_indexes
WHERE schemaname = $1 AND tablename <> ALL ('{deferred_records,spilled_executions,rebuild_ledger,
    rebuild_targets,scope}') ORDER BY 1, 2
"""
STANDING = "SELECT indexrelid, indrelid::regclass::text FROM pg_index WHERE indrelid = $1::regclass"
WAITING = """
SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'
"""
VISIT = """
INSERT INTO step_executions (execution_id, step_id, iteration, step_name, step_type, status,
    opened_at, retry_count, attempt, seq)
VALUES ('e-1', 'a', 1, 'a', 'task', 'completed', now(), 0, 1, 1)
"""


@pytest.fixture
async def pool(postgres_url: str) -> AsyncIterator[Pool]:
    """Return connections to bare shadow tables, beside live ones."""
    live = await asyncpg.connect(postgres_url)
    await migrate_in(live)
    await live.close()
    pool = await open_pool(
        postgres_url,
        max_connections=3,
        application="steplog-rebuild",
        schema=SCHEMA,
        statement_timeout_s=None,
    )
    async with pool.acquire() as connection:
        await schema.create(connection, SCHEMA, "test")
    yield pool
    pool.terminate()


@asynccontextmanager
async def held(url: str, table: str) -> AsyncIterator[None]:
    """Keep a table from being indexed for as long as this lasts."""
    connection = await asyncpg.connect(url)
    try:
        async with connection.transaction():
            await connection.execute(f'LOCK TABLE "{SCHEMA}".{table} IN ROW EXCLUSIVE MODE')
            yield
    finally:
        await connection.close()


async def standing(pool: Pool, table: str) -> set[int]:
    """Return the indexes of a table that stand."""
    return {row[0] for row in await pool.fetch(STANDING, table)}


async def test_all_indexes_of_the_live_tables_are_built(pool: Pool) -> None:
    bare = await pool.fetch(INDEXES, SCHEMA)

    await schema.index(pool)

    live = await pool.fetch(INDEXES, "public")
    assert await pool.fetch(INDEXES, SCHEMA) == live != bare


@pytest.mark.parametrize("first", schema.BARE_TABLES)
async def test_neither_table_waits_for_the_other(pool: Pool, postgres_url: str, first: str) -> None:
    (other,) = set(schema.BARE_TABLES) - {first}
    wanted = len(await pool.fetch("SELECT 1 FROM pg_indexes WHERE tablename = $1", first))

    async def stands() -> bool:
        return len(await standing(pool, first)) == wanted

    async with held(postgres_url, other):
        indexing = asyncio.create_task(schema.index(pool))
        await until(stands, "every index of the one")
        before = await standing(pool, other)
    await indexing

    assert before == set()
    assert await standing(pool, other)


async def test_rows_that_break_a_key_end_the_building_of_both_in_one_error(
    pool: Pool, postgres_url: str
) -> None:
    for _ in range(2):
        await pool.execute(VISIT)

    async with held(postgres_url, "pipeline_executions"):
        with pytest.raises(RowsRejected, match="step_executions_pkey"), store_errors():
            await schema.index(pool)
        waiting = await pool.fetch(WAITING)

    assert waiting == []
    assert await standing(pool, "pipeline_executions") == set()


async def test_what_stands_is_passed_over_when_an_interrupted_building_is_taken_up(
    pool: Pool, postgres_url: str
) -> None:
    async def begun() -> bool:
        return bool(await standing(pool, "step_executions") and await pool.fetch(WAITING))

    async with held(postgres_url, "pipeline_executions"):
        indexing = asyncio.create_task(schema.index(pool))
        await until(begun, "a key, and another waiting")
        indexing.cancel()
        await asyncio.wait([indexing])
        waiting = await pool.fetch(WAITING)
    kept = await standing(pool, "step_executions")

    await schema.index(pool)

    assert waiting == []
    assert await standing(pool, "step_executions") == kept
    assert await pool.fetch(INDEXES, SCHEMA) == await pool.fetch(INDEXES, "public")


async def test_the_memory_for_sorting_is_given_back_even_when_building_fails(pool: Pool) -> None:
    for _ in range(2):
        await pool.execute(VISIT)
    with pytest.raises(asyncpg.UniqueViolationError):
        await schema.index(pool)

    connections = [await pool.acquire() for _ in range(3)]
    told = {await one.fetchval("SHOW maintenance_work_mem") for one in connections}
    for one in connections:
        await pool.release(one)

    assert schema.INDEX_MEMORY not in told
