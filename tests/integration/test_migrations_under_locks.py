"""A migration waits for a table only so long, and those who came behind it get on meanwhile."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

import asyncpg
import pytest

from tests.integration.tracker_load import until
from tracker_service.store.errors import StoreRefused
from tracker_service.store.migrations import migrations
from tracker_service.store.postgres import migrations_runner
from tracker_service.store.postgres.pool import Pool, open_pool

# The one behind it locks the tables of all readers.
BEFORE_LOCKING = 3
READ = "SELECT count(*) FROM pipeline_executions"
WAIT_S = 60.0
pytestmark = pytest.mark.database


@dataclass
class Locked:
    """A read model of an older schema, and a session that is in the middle of reading it."""

    pool: Pool
    holder: asyncpg.Connection
    others: asyncpg.Connection

    async def version(self) -> int:
        """Return the schema's version."""
        found = await self.others.fetchval("SELECT max(version) FROM schema_migrations")
        return int(found)


@pytest.fixture
async def locked(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Locked]:
    """Return it; migrations wait a tenth of a second, and pause as long."""
    monkeypatch.setattr(migrations_runner, "LOCK_TIMEOUT_S", 0.1)
    monkeypatch.setattr(migrations_runner, "LOCK_DELAY_S", 0.1)
    holder = await asyncpg.connect(postgres_url)
    others = await asyncpg.connect(postgres_url)
    await others.execute(migrations_runner._LEDGER)
    for migration in migrations("postgres")[:BEFORE_LOCKING]:
        await others.execute(migration.sql)
        await migrations_runner._note(others, migration)
    pool = await open_pool(postgres_url, max_connections=1, application="test")
    await holder.execute("BEGIN")
    await holder.fetchval(READ)
    yield Locked(pool, holder, others)
    pool.terminate()
    await holder.close()
    await others.close()


async def test_a_reader_holds_a_migration_up_and_no_other_reader(locked: Locked) -> None:
    migration = asyncio.create_task(migrations_runner.migrate(locked.pool))
    await until(lambda: _waits(locked), "the migration waits", poll_s=0.01)
    async with asyncio.timeout(WAIT_S):
        # Behind a migration that waited for ever, this would wait too.
        read = await locked.others.fetchval(READ)
        before = await locked.version()
        await locked.holder.execute("COMMIT")
        names = await migration

    assert read == 0
    assert before == BEFORE_LOCKING
    assert len(names) == await locked.version() - BEFORE_LOCKING


async def test_a_table_that_is_held_for_long_is_named_with_the_remedy(
    locked: Locked, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migrations_runner, "LOCK_ATTEMPTS", 2)

    with pytest.raises(StoreRefused, match="other sessions held its tables at each of 2 attempts"):
        await migrations_runner.migrate(locked.pool)

    assert await locked.version() == BEFORE_LOCKING
    await locked.holder.execute("COMMIT")
    assert await migrations_runner.migrate(locked.pool)


async def _waits(locked: Locked) -> bool:
    return bool(
        await locked.others.fetchval(
            "SELECT count(*) FROM pg_stat_activity "
            "WHERE datname = current_database() AND wait_event_type = 'Lock'"
        )
    )
