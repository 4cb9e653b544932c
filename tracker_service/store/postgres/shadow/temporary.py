"""Shadow tables of a few executions: temporary ones of one connection, which go with it.

They stand in front of the live tables on the connection's search path, so what writes rows writes
them here. Such a connection must be closed, never given back to a pool others use.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from tracker_service.store.postgres.errors import store_errors
from tracker_service.store.postgres.pool import Connection, open_pool
from tracker_service.store.postgres.shadow.preflight import live_schema
from tracker_service.store.postgres.shadow.schema import FINDINGS, TABLE_NAMES

TEMPORARY: Final = "pg_temp"


@asynccontextmanager
async def temporary_shadow(database_url: str) -> AsyncIterator[tuple[Connection, str]]:
    """Yield a connection with empty shadow tables, and the schema of the live ones."""
    pool = await open_pool(
        database_url,
        max_connections=1,
        application="steplog-verify",
        statement_timeout_s=None,
    )
    try:
        async with pool.acquire() as connection:
            with store_errors():
                live = await live_schema(connection)
                for name in TABLE_NAMES:
                    await connection.execute(
                        f'CREATE TEMP TABLE {name} (LIKE "{live}".{name} INCLUDING ALL)'
                    )
                for findings in FINDINGS:
                    await connection.execute(f"CREATE TEMP TABLE {findings}")
            yield connection, live
    finally:
        pool.terminate()


async def empty(connection: Connection) -> None:
    """Forget everything, for the next executions."""
    names = ", ".join(f"{TEMPORARY}.{name}" for name in (*TABLE_NAMES, "differences", "scope"))
    await connection.execute(f"TRUNCATE {names}")
