"""The reading side of the read model in PostgreSQL."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, cast

import asyncpg
from msgspec import Raw

from tracker_service.freshness import Freshness, PartitionFreshness
from tracker_service.store import record_sql
from tracker_service.store.past import PastRows
from tracker_service.store.postgres.connecting import Pool, open_pool
from tracker_service.store.postgres.faults import store_errors
from tracker_service.store.postgres.migrating import check
from tracker_service.store.reading import MAX_STEP_ROWS, CommandOutcome, ExecutionFilter, Row

_COMMAND = """
SELECT 'applied', execution_id, NULL, NULL FROM pipeline_executions WHERE command_id = $1
UNION ALL SELECT 'applied', execution_id, NULL, NULL FROM applied_commands WHERE command_id = $1
UNION ALL SELECT 'refused', execution_id, code, message FROM refused_commands
    WHERE command_id = $1
LIMIT 1
"""
_FRESHNESS = """
SELECT partition, next_offset, end_offset, last_event_at, observed_at, caught_up_at, now() AS now
FROM projection_positions WHERE topic = $1 ORDER BY partition
"""
_STATISTICS = """
SELECT status, count(*) AS executions, avg(execution_time_ms) AS mean_ms
FROM pipeline_executions GROUP BY status
"""


class PostgresReadModel:
    """`tracker_service.store.reading.ReadModel` over a pool of read-only connections."""

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

    async def freshness(self, topic: str) -> Freshness:
        """Return positions, ends and the database's own time."""
        rows = await self._fetch(_FRESHNESS, topic)
        if not rows:
            return Freshness(await self._now(), ())
        partitions = [PartitionFreshness(*tuple(row)[:-1]) for row in rows]
        return Freshness(rows[0]["now"], partitions)

    async def executions(self, wanted: ExecutionFilter) -> Sequence[Row]:
        """Return executions, newest first, by the index that fits the filter."""
        conditions, values = ["true"], list[Any]()
        for column, value in (("status", wanted.status), ("pipeline_id", wanted.pipeline_id)):
            if value is not None:
                values.append(value)
                conditions.append(f"{column} = ${len(values)}")
        if wanted.after is not None:
            values += wanted.after
            conditions.append(f"(started_at, execution_id) < (${len(values) - 1}, ${len(values)})")
        values.append(wanted.limit)
        return await self._records(
            f"SELECT {record_sql.EXECUTION} FROM pipeline_executions "  # noqa: S608 - constants
            f"WHERE {' AND '.join(conditions)} "
            f"ORDER BY started_at DESC, execution_id DESC LIMIT ${len(values)}",
            *values,
        )

    async def execution(self, execution_id: str) -> Row | None:
        """Return one execution."""
        rows = await self._records(
            f"SELECT {record_sql.EXECUTION} FROM pipeline_executions "  # noqa: S608 - constants
            "WHERE execution_id = $1",
            execution_id,
        )
        return rows[0] if rows else None

    async def steps(
        self, execution_id: str, *, after_seq: int = 0, limit: int = MAX_STEP_ROWS
    ) -> Sequence[Row]:
        """Return an execution's visits in the order they began."""
        return await self._records(
            f"SELECT {record_sql.STEP} FROM step_executions "  # noqa: S608 - constants
            "WHERE execution_id = $1 AND seq > $2 ORDER BY seq LIMIT $3",
            execution_id,
            after_seq,
            limit,
        )

    async def interactions(
        self, *, execution_id: str | None = None, pending_only: bool = True, limit: int = 100
    ) -> Sequence[Row]:
        """Return questions to people, oldest first."""
        conditions, values = ["true"], list[Any]()
        if pending_only:
            conditions.append("status = 'pending'")
        if execution_id is not None:
            values.append(execution_id)
            conditions.append("execution_id = $1")
        values.append(limit)
        return await self._records(
            f"SELECT {record_sql.INTERACTION} FROM interactions "  # noqa: S608 - constants
            f"WHERE {' AND '.join(conditions)} "
            f"ORDER BY created_at, interaction_id LIMIT ${len(values)}",
            *values,
        )

    async def command(self, command_id: str) -> CommandOutcome:
        """Return what became of a command, from the three places that know."""
        rows = await self._fetch(_COMMAND, command_id)
        if not rows:
            return CommandOutcome(command_id, "unknown")
        return CommandOutcome(command_id, *tuple(rows[0]))

    async def statistics(self) -> Row:
        """Return counts by status and the mean duration of completed executions."""
        rows = await self._fetch(_STATISTICS)
        counts = {row["status"]: row["executions"] for row in rows}
        means = {row["status"]: row["mean_ms"] for row in rows}
        return {"counts": counts, "mean_completed_ms": means.get("completed")}

    async def pruned_before(self) -> datetime | None:
        """Return the time of the newest pruning, None if there was none."""
        rows = await self._fetch("SELECT max(pruned_before) FROM read_model")
        return cast(datetime | None, rows[0][0])

    @property
    def past(self) -> PastRows:
        """Questions about how the rows stood at a moment."""
        return PastRows(self._records)

    async def dead_letter_count(self) -> int:
        """Return how many poison records are unresolved."""
        rows = await self._fetch("SELECT count(*) FROM dead_letters WHERE status = 'open'")
        return int(rows[0][0])

    async def _now(self) -> Any:
        return (await self._fetch("SELECT now()"))[0][0]

    async def _records(self, query: str, *values: Any) -> list[Row]:
        return [_record(row) for row in await self._fetch(query, *values)]

    async def _fetch(self, query: str, *values: Any) -> list["asyncpg.Record"]:
        with store_errors():
            return await self.pool.fetch(query, *values)


def _record(row: "asyncpg.Record") -> Row:
    return {
        name: Raw(value.encode()) if name in record_sql.JSON_COLUMNS and value else value
        for name, value in row.items()
    }
