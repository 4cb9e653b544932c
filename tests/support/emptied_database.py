"""One read model's database that many tests use in turn, each of them finding it as if new.

A database of its own, migrated and dropped, costs a test several times what it then does with it.
"""

import asyncpg

from tracker_service.store.postgres.store import PostgresStore

LEDGER = "schema_migrations"
_TABLES = "SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY tablename"
_SEQUENCES = "SELECT sequencename FROM pg_sequences WHERE schemaname = 'public'"


async def migrate_and_note(url: str) -> None:
    """Bring an empty database to the newest schema, and keep beside it the rows that this made."""
    store = PostgresStore(url, max_connections=1)
    await store.open()
    await store.close()
    connection = await asyncpg.connect(url)
    try:
        await connection.execute("CREATE SCHEMA noted")
        for table in await _column(connection, _TABLES):
            await connection.execute(f"CREATE TABLE noted.{table} AS TABLE public.{table}")
    finally:
        await connection.close()


async def put_back(url: str) -> None:
    """Make a database's rows those that its migrations made; the schema must be theirs still."""
    connection = await asyncpg.connect(url)
    try:
        tables = await _column(connection, _TABLES)
        noted = await _column(connection, _TABLES.replace("public", "noted"))
        assert tables == noted, "a test that changes the schema needs a database of its own"
        statements = [f"DELETE FROM {table}" for table in tables]
        statements += [
            f"INSERT INTO {table} SELECT * FROM noted.{table}"
            for table in tables
            if await connection.fetchval(f"SELECT EXISTS (SELECT FROM noted.{table})")
        ]
        statements += [
            f"ALTER SEQUENCE {sequence} RESTART"
            for sequence in await _column(connection, _SEQUENCES)
        ]
        await connection.execute("; ".join(statements))
    finally:
        await connection.close()


async def _column(connection: asyncpg.Connection, query: str) -> list[str]:
    return [row[0] for row in await connection.fetch(query)]
