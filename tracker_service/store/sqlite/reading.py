"""The reading side of the read model in SQLite, on a connection of its own."""

import sqlite3
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from msgspec import Raw

from tracker_service.freshness import Freshness, PartitionFreshness
from tracker_service.store import record_sql
from tracker_service.store.errors import StoreError, StoreRefused
from tracker_service.store.migrations import pending
from tracker_service.store.past import PastRows, numbered
from tracker_service.store.reading import MAX_STEP_ROWS, CommandOutcome, ExecutionFilter, Row
from tracker_service.store.sqlite.database import Database, now, read_time, stored

_TIMES: Final = frozenset({"started_at", "completed_at", "created_at", "expires_at", "rows_begin"})
_COMMAND = """
SELECT 'applied', execution_id, NULL, NULL FROM pipeline_executions WHERE command_id = ?1
UNION ALL SELECT 'applied', execution_id, NULL, NULL FROM applied_commands WHERE command_id = ?1
UNION ALL SELECT 'refused', execution_id, code, message FROM refused_commands
    WHERE command_id = ?1
LIMIT 1
"""
_FRESHNESS = """
SELECT partition, next_offset, end_offset, last_event_at, observed_at, caught_up_at
FROM projection_positions WHERE topic = ? ORDER BY partition
"""
_STATISTICS = """
SELECT status, count(*) AS executions, avg(execution_time_ms) AS mean_ms
FROM pipeline_executions GROUP BY status
"""


class SqliteReadModel:
    """`tracker_service.store.reading.ReadModel` over one file."""

    def __init__(self, path: Path) -> None:
        self._database = Database(path, readonly=True)

    async def open(self) -> None:
        """Open the file and check the schema; raises `StoreRefused`."""
        await self._database.open()
        try:
            rows = await self._fetch("SELECT max(version) FROM schema_migrations")
        except StoreError as error:
            await self._database.close()
            raise StoreRefused(f"The read model is not there yet: {error}") from error
        if waiting := pending("sqlite", rows[0][0] or 0):
            await self._database.close()
            raise StoreRefused(f"The read model's schema lacks {waiting[-1].name}.")

    async def close(self) -> None:
        """Close the file."""
        await self._database.close()

    async def freshness(self, topic: str) -> Freshness:
        """Return positions and ends."""
        rows = await self._fetch(_FRESHNESS, topic)
        partitions = [
            PartitionFreshness(row[0], row[1], row[2], *(read_time(text) for text in row[3:]))
            for row in (tuple(row) for row in rows)
        ]
        return Freshness(now(), partitions)

    async def executions(self, wanted: ExecutionFilter) -> Sequence[Row]:
        """Return executions, newest first."""
        conditions, values = ["true"], list[Any]()
        for column, value in (("status", wanted.status), ("pipeline_id", wanted.pipeline_id)):
            if value is not None:
                conditions.append(f"{column} = ?")
                values.append(value)
        if wanted.after is not None:
            conditions.append("(started_at, execution_id) < (?, ?)")
            values += wanted.after
        return await self._records(
            f"SELECT {record_sql.EXECUTION} FROM pipeline_executions "  # noqa: S608 - constants
            f"WHERE {' AND '.join(conditions)} "
            "ORDER BY started_at DESC, execution_id DESC LIMIT ?",
            *values,
            wanted.limit,
        )

    async def execution(self, execution_id: str) -> Row | None:
        """Return one execution."""
        rows = await self._records(
            f"SELECT {record_sql.EXECUTION} FROM pipeline_executions "  # noqa: S608 - constants
            "WHERE execution_id = ?",
            execution_id,
        )
        return rows[0] if rows else None

    async def steps(
        self, execution_id: str, *, after_seq: int = 0, limit: int = MAX_STEP_ROWS
    ) -> Sequence[Row]:
        """Return an execution's visits in the order they began."""
        return await self._records(
            f"SELECT {record_sql.STEP} FROM step_executions "  # noqa: S608 - constants
            "WHERE execution_id = ? AND seq > ? ORDER BY seq LIMIT ?",
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
            conditions.append("execution_id = ?")
            values.append(execution_id)
        return await self._records(
            f"SELECT {record_sql.INTERACTION} FROM interactions "  # noqa: S608 - constants
            f"WHERE {' AND '.join(conditions)} ORDER BY created_at, interaction_id LIMIT ?",
            *values,
            limit,
        )

    async def command(self, command_id: str) -> CommandOutcome:
        """Return what became of a command."""
        rows = await self._fetch(_COMMAND, command_id)
        return CommandOutcome(command_id, *(tuple(rows[0]) if rows else ("unknown",)))

    async def statistics(self) -> Row:
        """Return counts by status and the mean duration of completed executions."""
        rows = await self._fetch(_STATISTICS)
        counts = {row["status"]: row["executions"] for row in rows}
        means = {row["status"]: row["mean_ms"] for row in rows}
        return {"counts": counts, "mean_completed_ms": means.get("completed")}

    async def pruned_before(self) -> datetime | None:
        """Return the time of the newest pruning, None if there was none."""
        rows = await self._fetch("SELECT max(pruned_before) FROM read_model")
        return read_time(rows[0][0])

    @property
    def past(self) -> PastRows:
        """Questions about how the rows stood at a moment."""
        return PastRows(lambda query, *values: self._records(numbered(query), *values))

    async def dead_letter_count(self) -> int:
        """Return how many poison records are unresolved."""
        rows = await self._fetch("SELECT count(*) FROM dead_letters WHERE status = 'open'")
        return int(rows[0][0])

    async def _records(self, query: str, *values: Any) -> list[Row]:
        return [_record(row) for row in await self._fetch(query, *values)]

    async def _fetch(self, query: str, *values: Any) -> list[sqlite3.Row]:
        arguments = [stored(value) for value in values]
        return await self._database.run(
            lambda connection: connection.execute(query, arguments).fetchall()
        )


def _record(row: sqlite3.Row) -> Row:
    return {name: _value(name, row[name]) for name in row.keys()}  # noqa: SIM118 - no mapping


def _value(name: str, value: Any) -> Raw | datetime | Any:
    if value is None:
        return None
    if name in record_sql.JSON_COLUMNS:
        return Raw(value.encode())
    if name in _TIMES:
        return read_time(value)
    return bool(value) if name == "incomplete" else value
