"""Bring a PostgreSQL read model's schema up to date, one process at a time."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

import asyncpg

from tracker_service.store.errors import StoreError, StoreRefused
from tracker_service.store.migrations import Migration, check_projection_version, pending
from tracker_service.store.postgres.errors import store_errors
from tracker_service.store.postgres.pool import Connection, Pool

# Any number will do as long as nothing else on the database locks it.
_LOCK_KEY = 7_305_001_117
# How long a migration waits for a table, while all who come behind it wait for the migration.
LOCK_TIMEOUT_S: Final = 5.0
LOCK_ATTEMPTS: Final = 10
LOCK_DELAY_S: Final = 2.0
TURN_DELAY_S: Final = 0.2
# A large table takes long to index; nobody waits for it meanwhile.
MIGRATION_TIMEOUT_S: Final = 3600.0 * 6
_LEDGER = """
CREATE TABLE IF NOT EXISTS schema_migrations (
    version integer PRIMARY KEY, name text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now()
)
"""


async def migrate(pool: Pool) -> list[str]:
    """Apply what is pending and return the names of the files applied.

    Raises:
        StoreRefused: the schema is newer, made by another fold, read-only or out of rights, or
            others hold its tables for longer than a migration waits.
    """
    try:
        with store_errors():
            async with pool.acquire() as connection:
                return await _migrate_alone(connection)
    except StoreRefused:
        raise
    except StoreError as error:
        raise StoreRefused(
            f"The read model's schema can't be brought up to date: {error}"
        ) from error


async def _migrate_alone(connection: Connection) -> list[str]:
    await _check_rights(connection)
    await _take_turn(connection)
    try:
        names = []
        for migration in await _pending(connection):
            await _with_patience(lambda step=migration: _apply(connection, step))  # type: ignore[misc]
            names.append(migration.name)
        if names:
            await connection.execute("UPDATE projection_positions SET generation = generation + 1")
        await _check_made(connection)
        return names
    finally:
        await connection.execute("SELECT pg_advisory_unlock($1)", _LOCK_KEY)


async def _take_turn(connection: Connection) -> None:
    """Become the only process that migrates. Asked again and again, not waited for: a statement
    that waits has a snapshot, and `CREATE INDEX CONCURRENTLY` of the other process waits for it."""
    while True:
        if await connection.fetchval("SELECT pg_try_advisory_lock($1)", _LOCK_KEY):
            return
        await asyncio.sleep(TURN_DELAY_S)


async def _with_patience(apply: Callable[[], Awaitable[None]]) -> None:
    """Try some times, with pauses in which those who wait behind the migration get on."""
    for attempt in range(LOCK_ATTEMPTS):
        try:
            await apply()
            return
        except asyncpg.LockNotAvailableError as error:
            if attempt == LOCK_ATTEMPTS - 1:
                raise StoreRefused(
                    "The read model's schema can't be brought up to date: other sessions held its "
                    f"tables at each of {LOCK_ATTEMPTS} attempts; end their transactions (see "
                    "pg_stat_activity), and start again."
                ) from error
            await asyncio.sleep(LOCK_DELAY_S)


async def _apply(connection: Connection, migration: Migration) -> None:
    if migration.concurrent:
        for statement in migration.statements:
            await connection.execute(statement, timeout=MIGRATION_TIMEOUT_S)
        await _note(connection, migration)
        return
    async with connection.transaction():
        await connection.execute(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT_S}s'")
        await connection.execute(migration.sql, timeout=MIGRATION_TIMEOUT_S)
        await _note(connection, migration)


async def _pending(connection: Connection) -> list[Migration]:
    exists = await connection.fetchval("SELECT to_regclass('schema_migrations') IS NOT NULL")
    if not exists:
        await connection.execute(_LEDGER)
    applied = await connection.fetchval("SELECT max(version) FROM schema_migrations") or 0
    return pending("postgres", applied)


async def _note(connection: Connection, migration: Migration) -> None:
    await connection.execute(
        "INSERT INTO schema_migrations (version, name) VALUES ($1, $2)",
        migration.version,
        migration.name,
    )


async def _check_made(connection: Connection) -> None:
    check_projection_version(await connection.fetchval("SELECT projection_version FROM read_model"))
    await _check_tables(connection)


async def check(pool: Pool) -> None:
    """Raise `StoreRefused` unless the schema is the one this code reads; changes nothing."""
    try:
        with store_errors():
            applied = await pool.fetchval("SELECT max(version) FROM schema_migrations")
    except StoreError as error:
        raise StoreRefused(
            f"The read model is not there yet: {error} Start the worker or run "
            "`python -m tracker_service migrate`."
        ) from error
    if waiting := pending("postgres", applied or 0):
        raise StoreRefused(
            f"The read model's schema lacks {waiting[-1].name}; start the worker or run "
            "`python -m tracker_service migrate`."
        )


async def check_versions(pool: Pool) -> None:
    """Raise `StoreRefused` if schema or rows have become those of another tracker meanwhile.

    Whoever changes either gives every position a new generation, so a worker at work looks here
    before it writes again.
    """
    with store_errors():
        applied = await pool.fetchval("SELECT max(version) FROM schema_migrations")
        version = await pool.fetchval("SELECT projection_version FROM read_model")
    pending("postgres", applied)
    check_projection_version(version)


async def migrate_in(connection: Connection) -> list[str]:
    """Make an empty schema, the first on the path, in the caller's transaction."""
    await _check_rights(connection)
    names = []
    for migration in await _pending(connection):
        # Nobody else sees the tables yet, and a transaction can't build concurrently.
        await connection.execute(migration.sql.replace(" CONCURRENTLY", ""))
        await _note(connection, migration)
        names.append(migration.name)
    await _check_made(connection)
    return names


async def _check_rights(connection: Connection) -> None:
    if await connection.fetchval("SHOW transaction_read_only") == "on":
        raise StoreRefused(
            "The database is read-only (a standby, or default_transaction_read_only is on); "
            "point DATABASE_URL at a writable primary."
        )


async def _check_tables(connection: Connection) -> None:
    lacking = await connection.fetchval(
        """
        SELECT string_agg(name, ', ') FROM unnest(ARRAY['pipeline_executions', 'step_executions',
            'projection_positions', 'dead_letters']) AS t(name)
        WHERE NOT has_table_privilege(name, 'SELECT')
           OR NOT has_table_privilege(name, 'INSERT')
           OR NOT has_table_privilege(name, 'UPDATE')
        """
    )
    if lacking:
        raise StoreRefused(
            f"The database role may not write {lacking}; grant it SELECT, INSERT, UPDATE and "
            "DELETE on the read model's tables."
        )
