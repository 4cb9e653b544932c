"""The reading side of the read model in PostgreSQL."""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import Any, cast

import asyncpg
from msgspec import Raw

from tracker_service.store.dead_letters import Letter
from tracker_service.store.freshness import Freshness, PartitionFreshness
from tracker_service.store.postgres.dead_letters import PostgresDeadLetters
from tracker_service.store.postgres.errors import store_errors
from tracker_service.store.postgres.migrations_runner import check
from tracker_service.store.postgres.pool import Pool, open_pool
from tracker_service.store.postgres.shadow.schema import SHADOW_SCHEMA
from tracker_service.store.queries import Row
from tracker_service.store.sql import records
from tracker_service.store.sql.dialect import POSTGRES
from tracker_service.store.sql.read_model import SqlReadModel

_FRESHNESS = """
SELECT partition, next_offset, end_offset, last_event_at, observed_at, caught_up_at,
    generation, lost_reason, lost_at, now() AS now
FROM projection_positions WHERE topic = $1 ORDER BY partition
"""


_LEDGER_TABLES = 2
# Whoever only reads may have no right to the tables a rebuild works on: then none is seen.
_SEES_REBUILD = """
SELECT count(*) FROM pg_namespace n JOIN pg_class c ON c.relnamespace = n.oid
WHERE n.nspname = $1 AND c.relname IN ('rebuild_ledger', 'rebuild_targets')
    AND has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT')
"""
_REBUILD = """
SELECT l.stage, count(*) AS partitions, count(*) FILTER (WHERE t.built) AS partitions_copied,
    sum(t.end_offset - t.begin_offset)::bigint AS events,
    coalesce(sum(t.end_offset - t.begin_offset) FILTER (WHERE t.built), 0)::bigint AS events_copied
FROM "{schema}".rebuild_ledger l, "{schema}".rebuild_targets t GROUP BY l.stage
"""


class PostgresReadModel(SqlReadModel):
    """`tracker_service.store.read_port.ReadModel` over a pool of read-only connections."""

    dialect = POSTGRES

    def __init__(self, url: str, *, max_connections: int = 10, schema: str | None = None) -> None:
        self._url = url
        self._max_connections = max_connections
        self._schema = schema
        self._pool: Pool | None = None

    @property
    def pool(self) -> Pool:
        """The pool, once open."""
        assert self._pool is not None, "open() comes first"
        return self._pool

    async def open(self) -> None:
        """Connect and check the schema; raises `StoreRefused`."""
        self._pool = await open_pool(
            self._url,
            max_connections=self._max_connections,
            application="steplog-api",
            schema=self._schema,
            needs_session=False,
        )
        try:
            await check(self._pool)
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        """Let go of all connections."""
        pool, self._pool = self._pool, None
        if pool is not None:
            pool.terminate()
            await asyncio.sleep(0)  # Sockets are closed by the loop's next round.

    async def freshness(self, topic: str) -> Freshness:
        """Return positions, ends and the database's own time, in one round trip."""
        rows = await self._fetch(_FRESHNESS, topic)
        if not rows:
            return Freshness(await self._now(), ())
        at = rows[0]["now"]
        return Freshness(at, [PartitionFreshness(*list(row.values())[:-1]) for row in rows])

    async def rebuild(self) -> Row | None:
        """Return how far a rebuild has come, None where none is under way or broken off."""
        seen = await self._fetch(_SEES_REBUILD, SHADOW_SCHEMA)
        if seen[0]["count"] < _LEDGER_TABLES:
            return None
        rows = await self._fetch(_REBUILD.format(schema=SHADOW_SCHEMA))
        return dict(rows[0]) if rows else None

    async def dead_letters(self, *, unresolved: bool, limit: int) -> Sequence[Letter]:
        """Return dead letters without their bytes, oldest first."""
        return await PostgresDeadLetters(self.pool).letters(unresolved=unresolved, limit=limit)

    async def dead_letter(self, letter_id: int) -> Letter:
        """Return one dead letter with its bytes; raises `NoSuchLetter`."""
        return await PostgresDeadLetters(self.pool).letter(letter_id)

    async def _now(self) -> datetime:
        return cast(datetime, (await self._fetch("SELECT now()"))[0]["now"])

    async def _fetch(self, query: str, *values: Any) -> Sequence[Row]:
        with store_errors():
            return [_row(record) for record in await self.pool.fetch(query, *values)]


def _row(record: "asyncpg.Record") -> Row:
    return {
        name: Raw(value.encode()) if name in records.JSON_COLUMNS and value else value
        for name, value in record.items()
    }
