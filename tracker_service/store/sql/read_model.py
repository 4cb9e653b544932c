"""The reading side of a read model in SQL that both databases speak.

A subclass brings the connection: `_fetch` runs a statement written with `$1` arguments.
"""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, cast

from tracker_service.store.freshness import Freshness, PartitionFreshness
from tracker_service.store.queries import (
    CHANGED_ROWS,
    COUNT_ROWS,
    MAX_RELATIVES,
    MAX_STEP_ROWS,
    STATISTICS_ROWS,
    STEP_STATISTICS_ROWS,
    Changed,
    CommandOutcome,
    Counts,
    Drift,
    ExecutionFilter,
    Page,
    Row,
    Sort,
    Statistics,
    Window,
)
from tracker_service.store.sql import changes, records
from tracker_service.store.sql import statistics as statistics_sql
from tracker_service.store.sql.as_of import PastRows
from tracker_service.store.sql.dialect import Arguments
from tracker_service.store.sql.drift import DRIFT_SQL
from tracker_service.store.sql.execution_list import COLUMN_OF, ExecutionList
from tracker_service.store.sql.items import ItemRows
from tracker_service.store.sql.kept_apart import KeptApart

_FRESHNESS = """
SELECT partition, next_offset, end_offset, last_event_at, observed_at, caught_up_at,
    generation, lost_reason, lost_at
FROM projection_positions WHERE topic = $1 ORDER BY partition
"""
_COMMAND = """
SELECT 'applied' AS status, execution_id, NULL AS code, NULL AS message
    FROM pipeline_executions WHERE command_id = $1
UNION ALL SELECT 'applied', execution_id, NULL, NULL FROM applied_commands WHERE command_id = $1
UNION ALL SELECT 'refused', execution_id, code, message FROM refused_commands
    WHERE command_id = $1
LIMIT 1
"""
_TALLY = "SELECT status, count(*) AS found FROM pipeline_executions"
_STATISTICS = """
SELECT status, count(*) AS executions, avg(execution_time_ms) AS mean_ms
FROM pipeline_executions GROUP BY status
"""


class SqlReadModel(KeptApart):
    """`tracker_service.store.read_port.ReadModel`, but for opening, closing and letters."""

    @abstractmethod
    async def _now(self) -> datetime:
        """Return the time by the clock that stamps this database's rows."""

    async def freshness(self, topic: str) -> Freshness:
        """Return positions, ends and the time they were read at."""
        rows = await self._fetch(_FRESHNESS, topic)
        return Freshness(await self._now(), [PartitionFreshness(**row) for row in rows])

    async def page(self, wanted: ExecutionFilter) -> Page:
        """Return a page of executions in the order asked for."""
        listing = ExecutionList(wanted, self.dialect)
        rows = await self._ask(listing.page())
        if len(rows) > wanted.limit:
            shown = await self._referring(rows[: wanted.limit])
            return Page(shown, _place(shown[-1], wanted.sort))
        rows = await self._referring(rows)
        end_of_scan = listing.end_of_scan()
        if end_of_scan is None:
            return Page(rows)
        last = await self._ask(end_of_scan)
        return Page(rows, _place(last[0], wanted.sort) if last else None)

    async def executions(self, wanted: ExecutionFilter) -> Sequence[Row]:
        """Return the rows of a page."""
        return (await self.page(wanted)).rows

    async def counts(self, wanted: ExecutionFilter) -> Counts:
        """Return executions by status, each counted up to a bound."""
        counting = replace(wanted, sort=Sort.STARTED_AT, after=None)
        rows = await self._ask(ExecutionList(counting, self.dialect).counts())
        return Counts(
            {row["status"]: int(row["found"] or 0) for row in rows},
            frozenset(row["status"] for row in rows if row["looked_at"] >= COUNT_ROWS),
        )

    async def tally(self, pipeline_id: str | None) -> Mapping[str, int]:
        """Return executions by status, all of them counted."""
        values = Arguments()
        narrowed = "" if pipeline_id is None else f" WHERE pipeline_id = {values.add(pipeline_id)}"
        rows = await self._fetch(f"{_TALLY}{narrowed} GROUP BY status", *values)
        return {row["status"]: row["found"] for row in rows}

    async def execution(self, execution_id: str) -> Row | None:
        """Return one execution."""
        return await self._one(
            f"SELECT {self._columns('pipeline_executions')} FROM pipeline_executions "  # noqa: S608
            "WHERE execution_id = $1",
            execution_id,
        )

    async def executions_by_id(self, execution_ids: Sequence[str]) -> Sequence[Row]:
        """Return those of the executions that have rows."""
        rows = await self._fetch(
            f"SELECT {records.EXECUTION_BRIEF} FROM pipeline_executions "  # noqa: S608
            f"WHERE {self.dialect.among('execution_id', '$1')}",
            self.dialect.listed(execution_ids),
        )
        return await self._referring(rows)

    async def steps(
        self, execution_id: str, *, after_seq: int = 0, limit: int = MAX_STEP_ROWS
    ) -> Sequence[Row]:
        """Return an execution's visits to steps in the order they began; items are apart."""
        visits = await self._fetch(
            f"SELECT {self._columns('step_executions')} FROM step_executions "  # noqa: S608
            "WHERE execution_id = $1 AND seq > $2 AND item_index IS NULL ORDER BY seq LIMIT $3",
            execution_id,
            after_seq,
            limit,
        )
        return await self.items.counted(execution_id, visits)

    async def bars(self, execution_id: str) -> Sequence[Row]:
        """Return the same visits without their payloads."""
        visits = await self._of_execution(
            "step_executions", records.BAR, execution_id, "AND item_index IS NULL"
        )
        return await self.items.counted(execution_id, visits)

    async def attempts(self, execution_id: str) -> Sequence[Row]:
        """Return failed attempts that were followed by another."""
        return await self._of_execution("step_attempts", records.ATTEMPT, execution_id)

    async def status_changes(self, execution_id: str) -> Sequence[Row]:
        """Return changes of status between beginning and end."""
        return await self._of_execution(
            "execution_status_changes", records.STATUS_CHANGE, execution_id
        )

    async def compensations(self, execution_id: str) -> Sequence[Row]:
        """Return the steps that were undone."""
        return await self._of_execution("step_compensations", records.COMPENSATION, execution_id)

    async def relatives(self, execution_id: str) -> Sequence[Row]:
        """Return executions that were forked, retried or begun from this one."""
        return await self._fetch(
            f"SELECT {records.EXECUTION_BRIEF} FROM pipeline_executions "  # noqa: S608
            "WHERE forked_from = $1 OR parent_execution_id = $1 "
            f"ORDER BY started_at, execution_id LIMIT {MAX_RELATIVES}",
            execution_id,
        )

    async def definition(self, definition_hash: str) -> bytes | None:
        """Return the JSON text of a pipeline definition."""
        row = await self._one(
            "SELECT definition FROM pipeline_definitions WHERE definition_hash = $1",
            definition_hash,
        )
        return None if row is None else bytes(row["definition"])

    async def definition_hashes(self) -> Sequence[str]:
        """Return the hashes of all definitions in the rows."""
        rows = await self._fetch("SELECT definition_hash FROM pipeline_definitions")
        return [row["definition_hash"] for row in rows]

    async def pipelines(self) -> Sequence[Row]:
        """Return pipelines whose definitions are known, by name."""
        return await self._fetch(records.PIPELINES)

    async def interactions(
        self, *, execution_id: str | None = None, pending_only: bool = True, limit: int = 100
    ) -> Sequence[Row]:
        """Return questions to people, oldest first."""
        values = Arguments()
        conditions = ["status = 'pending'" if pending_only else "true"]
        if execution_id is not None:
            conditions.append(f"execution_id = {values.add(execution_id)}")
        return await self._fetch(
            f"SELECT {self._columns('interactions')} FROM interactions "  # noqa: S608 - constants
            f"WHERE {' AND '.join(conditions)} "
            f"ORDER BY created_at, interaction_id LIMIT {values.add(limit)}",
            *values,
        )

    async def interaction(self, interaction_id: str) -> Row | None:
        """Return one question to a person."""
        return await self._one(
            f"SELECT {self._columns('interactions')} FROM interactions "  # noqa: S608 - constants
            "WHERE interaction_id = $1",
            interaction_id,
        )

    async def command(self, command_id: str) -> CommandOutcome:
        """Return what became of a command, from the three places that know."""
        row = await self._one(_COMMAND, command_id)
        return CommandOutcome(command_id, "unknown") if row is None else CommandOutcome(
            command_id, **row
        )  # fmt: skip

    async def statistics(self) -> Row:
        """Return counts by status and the mean duration of completed executions."""
        rows = await self._fetch(_STATISTICS)
        counts = {row["status"]: row["executions"] for row in rows}
        means = {row["status"]: row["mean_ms"] for row in rows}
        return {"counts": counts, "mean_completed_ms": means.get("completed")}

    async def pipeline_statistics(self, window: Window) -> Statistics:
        """Return rate, failures and durations by pipeline and bucket of time."""
        rows = await self._ask(statistics_sql.by_pipeline(window, self.dialect))
        return await self._statistics(rows, window, STATISTICS_ROWS)

    async def step_statistics(self, window: Window) -> Statistics:
        """Return visits, failures, retries and durations by step."""
        rows = await self._ask(statistics_sql.by_step(window, self.dialect))
        return await self._statistics(rows, window, STEP_STATISTICS_ROWS)

    async def changed(self, since: Mapping[int, int], until: Mapping[int, int]) -> Changed:
        """Return executions whose last event lies between two positions."""
        rows = await self._ask(changes.changed(since, until))
        return Changed(await self._referring(rows[:CHANGED_ROWS]), len(rows) <= CHANGED_ROWS)

    @property
    def past(self) -> PastRows:
        """Questions about how the rows stood at a moment."""
        return PastRows(self._fetch, self._columns)

    @property
    def items(self) -> ItemRows:
        """Questions about the items of maps."""
        return ItemRows(self._fetch, self._columns)

    async def pruned_before(self) -> datetime | None:
        """Return the time of the newest pruning, None if there was none."""
        rows = await self._fetch("SELECT max(pruned_before) AS pruned_before FROM read_model")
        return cast(datetime | None, rows[0]["pruned_before"])

    async def dead_letter_count(self) -> int:
        """Return how many poison records are unresolved."""
        rows = await self._fetch(
            "SELECT count(*) AS letters FROM dead_letters WHERE status = 'open'"
        )
        return int(rows[0]["letters"])

    async def drift(self, topic: str) -> Drift:
        """Return what the check of rows against the log has found."""
        rows = await self._fetch(DRIFT_SQL, topic)
        return Drift(**rows[0])

    async def rebuild(self) -> Row | None:
        """Return None: only rows in PostgreSQL are rebuilt beside the live ones."""
        return None

    async def _statistics(self, rows: Sequence[Row], window: Window, limit: int) -> Statistics:
        counted = await self._ask(statistics_sql.looked_at(window, limit))
        found = int(counted[0]["found"])
        return Statistics(rows, min(found, limit), found <= limit)

    def _columns(self, table: str) -> str:
        return records.with_references(table, self.dialect.references)

    async def _of_execution(
        self, table: str, columns: str, execution_id: str, narrowed: str = ""
    ) -> Sequence[Row]:
        return await self._fetch(
            f"SELECT {columns} FROM {table} WHERE execution_id = $1 {narrowed} "  # noqa: S608
            f"ORDER BY seq LIMIT {MAX_STEP_ROWS}",
            execution_id,
        )

    async def _ask(self, statement: tuple[str, Arguments]) -> Sequence[Row]:
        query, values = statement
        return await self._fetch(query, *values)

    async def _one(self, query: str, *values: Any) -> Row | None:
        rows = await self._fetch(query, *values)
        return rows[0] if rows else None


def _place(row: Row, sort: Sort) -> tuple[datetime | float, str]:
    return row[COLUMN_OF[sort]], row["execution_id"]
