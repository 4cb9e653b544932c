"""Bring a PostgreSQL read model's schema up to date, one process at a time."""

from tracker_service.store.errors import StoreError, StoreRefused
from tracker_service.store.migrations import check_projection_version, pending
from tracker_service.store.postgres.connecting import Connection, Pool
from tracker_service.store.postgres.faults import store_errors

# Any number will do as long as nothing else on the database locks it.
_LOCK_KEY = 7_305_001_117
_LEDGER = """
CREATE TABLE IF NOT EXISTS schema_migrations (
    version integer PRIMARY KEY, name text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now()
)
"""


async def migrate(pool: Pool) -> list[str]:
    """Apply what is pending and return the names of the files applied.

    Raises:
        StoreRefused: the schema is newer, made by another fold, read-only or out of rights.
    """
    try:
        with store_errors():
            async with pool.acquire() as connection, connection.transaction():
                return await migrate_in(connection)
    except StoreRefused:
        raise
    except StoreError as error:
        raise StoreRefused(
            f"The read model's schema can't be brought up to date: {error}"
        ) from error


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
    """Apply what is pending in the caller's transaction, to the first schema on its path."""
    await _check_rights(connection)
    await connection.execute("SELECT pg_advisory_xact_lock($1)", _LOCK_KEY)
    exists = await connection.fetchval("SELECT to_regclass('schema_migrations') IS NOT NULL")
    if not exists:
        await connection.execute(_LEDGER)
    applied = await connection.fetchval("SELECT max(version) FROM schema_migrations") or 0
    names = []
    for migration in pending("postgres", applied):
        await connection.execute(migration.sql)
        await connection.execute(
            "INSERT INTO schema_migrations (version, name) VALUES ($1, $2)",
            migration.version,
            migration.name,
        )
        names.append(migration.name)
    if names:
        await connection.execute("UPDATE projection_positions SET generation = generation + 1")
    check_projection_version(await connection.fetchval("SELECT projection_version FROM read_model"))
    await _check_tables(connection)
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
