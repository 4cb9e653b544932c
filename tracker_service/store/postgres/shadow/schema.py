"""The schema that holds shadow tables: made by the migrations, its big tables bare until filled."""

import asyncio
import json
from typing import Final

from tracker_service.store.postgres.migrations_runner import migrate_in
from tracker_service.store.postgres.pool import Connection, Pool
from tracker_service.store.sql.tables import ALL_TABLES, EXECUTIONS, VISITS

SHADOW_SCHEMA: Final = "steplog_rebuild"
OLD_PREFIX: Final = "steplog_old_"
# Filled by COPY, each row once; their keys and indexes are built when all rows are there.
BARE_TABLES: Final = (EXECUTIONS.name, VISITS.name)
TABLE_NAMES: Final = tuple(table.name for table in ALL_TABLES)
# More memory makes sorting for an index quicker; two connections have it, until an index stands.
INDEX_MEMORY: Final = "256MB"

_BOOKS = """
CREATE TABLE rebuild_ledger (
    fingerprint text NOT NULL,
    stage text NOT NULL,
    begun_at timestamptz NOT NULL DEFAULT now(),
    indexes json NOT NULL
);
CREATE TABLE rebuild_targets (
    partition integer PRIMARY KEY,
    begin_offset bigint NOT NULL,
    end_offset bigint NOT NULL,
    generation bigint NOT NULL,
    built boolean NOT NULL DEFAULT false
);
CREATE TABLE deferred_records (
    partition integer NOT NULL,
    log_offset bigint NOT NULL,
    execution_id text COLLATE "C",
    epoch bigint,
    record_key bytea,
    record_value bytea,
    record_headers json NOT NULL
);
CREATE TABLE spilled_executions (
    execution_id text COLLATE "C" PRIMARY KEY,
    partition integer NOT NULL,
    state bytea NOT NULL
);
"""
# What differs, and which executions are looked at again.
FINDINGS: Final = (
    'differences (table_name text NOT NULL, execution_id text COLLATE "C", '
    "row_key text[] NOT NULL, kind text NOT NULL, columns text[] NOT NULL)",
    'scope (execution_id text COLLATE "C" PRIMARY KEY)',
)
_CONSTRAINTS = """
SELECT conname, format('ALTER TABLE %s ADD CONSTRAINT %I %s', conrelid::regclass, conname,
    pg_get_constraintdef(oid)) AS make,
    format('ALTER TABLE %s DROP CONSTRAINT %I', conrelid::regclass, conname) AS remove
FROM pg_constraint
WHERE conrelid = ANY($1::text[]::regclass[]) AND contype IN ('p', 'u') ORDER BY conname
"""
_INDEXES = """
SELECT c.relname, pg_get_indexdef(i.indexrelid) AS make,
    format('DROP INDEX %s', i.indexrelid::regclass) AS remove
FROM pg_index AS i JOIN pg_class AS c ON c.oid = i.indexrelid
WHERE i.indrelid = ANY($1::text[]::regclass[])
    AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = i.indexrelid)
ORDER BY c.relname
"""


async def create(connection: Connection, schema: str, fingerprint: str) -> None:
    """Make the schema anew with everything in it; what was there before is gone.

    In the caller's transaction, on a connection whose search path is the schema alone.
    """
    await drop(connection, schema)
    await connection.execute(f'CREATE SCHEMA "{schema}"')
    await migrate_in(connection)
    await connection.execute(_BOOKS)
    for findings in FINDINGS:
        await connection.execute(f"CREATE TABLE {findings}")
    indexes = await _strip(connection)
    for table in BARE_TABLES:
        # It would hold up the building of indexes for a second each time, and the swap.
        await connection.execute(f"ALTER TABLE {table} SET (autovacuum_enabled = false)")
    await connection.execute(
        "INSERT INTO rebuild_ledger (fingerprint, stage, indexes) VALUES ($1, 'copying', $2)",
        fingerprint,
        json.dumps(indexes),
    )


async def vacuum_again(connection: Connection, schema: str) -> None:
    """Leave the tables to autovacuum, as all tables that are in use."""
    for table in BARE_TABLES:
        await connection.execute(f'ALTER TABLE "{schema}".{table} RESET (autovacuum_enabled)')


async def drop(connection: Connection, schema: str) -> None:
    """Remove the schema if it is there."""
    await connection.execute(f'DROP SCHEMA IF EXISTS "{schema}" CASCADE')


async def exists(connection: Connection, schema: str) -> bool:
    """Whether there is such a schema."""
    found = await connection.fetchval("SELECT to_regnamespace($1) IS NOT NULL", f'"{schema}"')
    return bool(found)


async def index(pool: Pool) -> None:
    """Build what `create` left out, and gather statistics; what stands already is passed over.

    Both tables at once, each over a connection of its own: sorting for one and writing the other
    leave each other time. If one can't be indexed, the other is broken off and the error raised.
    """
    async with pool.acquire() as connection:
        missing = json.loads(await connection.fetchval("SELECT indexes FROM rebuild_ledger"))
    try:
        async with asyncio.TaskGroup() as group:
            for statements in missing.values():
                group.create_task(_index_table(pool, statements))
    except* Exception as errors:
        raise errors.exceptions[0] from None
    async with pool.acquire() as connection:
        await connection.execute(
            "CREATE INDEX IF NOT EXISTS deferred ON deferred_records (execution_id)"
        )
        await connection.execute(f"ANALYZE {', '.join(TABLE_NAMES)}")


async def _index_table(pool: Pool, statements: dict[str, str]) -> None:
    async with pool.acquire() as connection:
        for name, statement in statements.items():
            # A transaction each: what is broken off leaves no setting, and a server that goes on
            # for a client that is gone undoes its index, where the next rebuild makes it again.
            async with connection.transaction():
                if await connection.fetchval("SELECT to_regclass($1) IS NULL", f'"{name}"'):
                    await connection.execute(f"SET LOCAL maintenance_work_mem = '{INDEX_MEMORY}'")
                    await connection.execute(statement)


async def _strip(connection: Connection) -> dict[str, dict[str, str]]:
    """Drop keys and indexes of the bare tables; return by table how each is made again."""
    stripped = {}
    for table in BARE_TABLES:
        # Keys first: they are what the rest of a rebuild looks rows up by.
        keys, others = [
            await connection.fetch(query, [table]) for query in (_CONSTRAINTS, _INDEXES)
        ]
        stripped[table] = {name: make for name, make, _ in (*keys, *others)}
        for _, _, remove in (*others, *keys):
            await connection.execute(remove)
    return stripped


async def old_schemas(connection: Connection) -> list[str]:
    """Return the schemas that hold tables replaced by earlier rebuilds, oldest first."""
    rows = await connection.fetch(
        "SELECT nspname FROM pg_namespace WHERE starts_with(nspname, $1) ORDER BY 1", OLD_PREFIX
    )
    return [row[0] for row in rows]
