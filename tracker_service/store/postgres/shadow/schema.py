"""The schema that holds shadow tables: made by the migrations, its big tables bare until filled."""

import json
from typing import Final

from tracker_service.store.postgres.connecting import Connection
from tracker_service.store.postgres.migrating import migrate_in
from tracker_service.store.tables import ALL_TABLES, EXECUTIONS, VISITS

SHADOW_SCHEMA: Final = "steplog_rebuild"
OLD_PREFIX: Final = "steplog_old_"
# Filled by COPY, each row once; their keys and indexes are built when all rows are there.
BARE_TABLES: Final = (EXECUTIONS.name, VISITS.name)
TABLE_NAMES: Final = tuple(table.name for table in ALL_TABLES)
# More memory makes sorting for an index quicker; it is given back when the index stands.
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
    await connection.execute(
        "INSERT INTO rebuild_ledger (fingerprint, stage, indexes) VALUES ($1, 'copying', $2)",
        fingerprint,
        json.dumps(indexes),
    )


async def drop(connection: Connection, schema: str) -> None:
    """Remove the schema if it is there."""
    await connection.execute(f'DROP SCHEMA IF EXISTS "{schema}" CASCADE')


async def exists(connection: Connection, schema: str) -> bool:
    """Whether there is such a schema."""
    found = await connection.fetchval("SELECT to_regnamespace($1) IS NOT NULL", f'"{schema}"')
    return bool(found)


async def index(connection: Connection) -> None:
    """Build what `create` left out, and gather statistics; what stands already is passed over."""
    await connection.execute(f"SET maintenance_work_mem = '{INDEX_MEMORY}'")
    text = await connection.fetchval("SELECT indexes FROM rebuild_ledger")
    for name, statement in json.loads(text).items():
        if not await connection.fetchval("SELECT to_regclass($1) IS NOT NULL", f'"{name}"'):
            await connection.execute(statement)
    await connection.execute(
        "CREATE INDEX IF NOT EXISTS deferred ON deferred_records (execution_id)"
    )
    await connection.execute(f"ANALYZE {', '.join(TABLE_NAMES)}")
    await connection.execute("RESET maintenance_work_mem")


async def _strip(connection: Connection) -> dict[str, str]:
    found = {}
    for query in (_INDEXES, _CONSTRAINTS):
        for name, make, remove in await connection.fetch(query, list(BARE_TABLES)):
            found[name] = make
            await connection.execute(remove)
    # Keys first: they are what the rest of a rebuild looks rows up by.
    return dict(sorted(found.items(), key=lambda item: "ADD CONSTRAINT" not in item[1]))


async def old_schemas(connection: Connection) -> list[str]:
    """Return the schemas that hold tables replaced by earlier rebuilds, oldest first."""
    rows = await connection.fetch(
        "SELECT nspname FROM pg_namespace WHERE starts_with(nspname, $1) ORDER BY 1", OLD_PREFIX
    )
    return [row[0] for row in rows]
