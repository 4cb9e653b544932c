"""The rows of a read model copied into new tables as fast as one connection takes them."""

import time
from typing import Any

import asyncpg

from tracker_service.store.postgres.pool import open_pool
from tracker_service.store.postgres.shadow import schema
from tracker_service.store.sql.columns import Table
from tracker_service.store.sql.tables import EXECUTIONS, VISITS

SCHEMA = "bare_copy"
# As many rows at a time as a rebuild sends.
CHUNK_ROWS = 20_000


async def copy_rates(url: str) -> dict[str, float]:
    """Return rows a second of COPY alone, and with the keys and indexes built afterwards."""
    source = await asyncpg.connect(url)
    target = await asyncpg.connect(url, server_settings={"search_path": SCHEMA})
    try:
        await schema.create(target, SCHEMA, "bare")
        rows, took_s = 0, 0.0
        for table in (EXECUTIONS, VISITS):
            count, seconds = await _copy(source, target, table)
            rows, took_s = rows + count, took_s + seconds
        began_s = time.monotonic()
        await _index(url)
        indexed_s = took_s + time.monotonic() - began_s
        await schema.drop(target, SCHEMA)
    finally:
        await source.close()
        await target.close()
    return {"copy_rows_per_s": rows / took_s, "copy_and_index_rows_per_s": rows / indexed_s}


async def _index(url: str) -> None:
    pool = await open_pool(
        url, max_connections=2, application="bare-copy", schema=SCHEMA, statement_timeout_s=None
    )
    try:
        await schema.index(pool)
    finally:
        pool.terminate()


async def _copy(
    source: asyncpg.Connection, target: asyncpg.Connection, table: Table[Any]
) -> tuple[int, float]:
    rows, took_s = 0, 0.0
    names = ", ".join(table.names)
    async with source.transaction(), target.transaction():
        cursor = await source.cursor(f"SELECT {names} FROM public.{table.name}")
        while records := await cursor.fetch(CHUNK_ROWS):
            tuples = [tuple(record) for record in records]
            began_s = time.monotonic()
            await target.copy_records_to_table(table.name, records=tuples, columns=table.names)
            took_s += time.monotonic() - began_s
            rows += len(tuples)
    return rows, took_s
