"""Questions to the rows about a moment in the past; answered alike by both databases."""

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
from msgspec import Raw

from tracker_service.store.queries import (
    MAX_QUESTION_ROWS,
    MAX_STEP_ROWS,
    PastFilter,
    PastPage,
    Row,
)
from tracker_service.store.sql import as_of_executions, as_of_steps
from tracker_service.store.sql.items import ItemRows

# Runs a statement written with `$1`, `$2` and returns its rows as records.
Fetch = Callable[..., Awaitable[Sequence[Row]]]


class PastRows:
    """How the rows stood, over one statement runner; each method may raise `StoreUnavailable`."""

    def __init__(self, fetch: Fetch, columns: Callable[[str], str]) -> None:
        """`columns` is the select list of a table's records."""
        self._fetch = fetch
        self._columns = columns

    async def page(self, wanted: PastFilter) -> PastPage:
        """Return a page of executions as they stood."""
        by_status, narrowed = wanted.status is not None, _narrowed(wanted)
        shape = {
            "by_pipeline": wanted.pipeline_id is not None,
            "after": wanted.after is not None,
        }
        status = [wanted.status] if by_status else []
        rows = await self._fetch(
            as_of_executions.page(
                self._columns("pipeline_executions"), by_status=by_status, **shape
            ),
            wanted.at,
            wanted.limit + 1,
            *narrowed,
            *status,
        )
        rows = [_of_then(row) for row in rows]
        if len(rows) > wanted.limit:
            last = rows[wanted.limit - 1]
            return PastPage(rows[: wanted.limit], (last["started_at"], last["execution_id"]))
        following = None
        if by_status:
            ends = await self._fetch(as_of_executions.last_looked_at(**shape), wanted.at, *narrowed)
            following = (ends[0]["started_at"], ends[0]["execution_id"]) if ends else None
        return PastPage(rows, following)

    async def counts(self, at: datetime) -> Mapping[str, int]:
        """Return how many executions stood how; takes as long as there are rows."""
        rows = await self._fetch(as_of_executions.COUNTS, at)
        return {row["status"]: row["executions"] for row in rows}

    async def execution(self, execution_id: str, at: datetime) -> Row | None:
        """Return one execution as it stood, None if it had not begun."""
        statement = as_of_executions.one(self._columns("pipeline_executions"))
        rows = await self._fetch(statement, at, execution_id)
        return _of_then(rows[0]) if rows else None

    async def steps(self, execution_id: str, at: datetime) -> Sequence[Row]:
        """Return the visits that were open or had ended; tries that wait count as begun."""
        statement = as_of_steps.steps(self._columns("step_executions"))
        rows = await self._fetch(statement, at, execution_id, MAX_STEP_ROWS)
        items = ItemRows(self._fetch, self._columns)
        return await items.counted(execution_id, [_of_then(row) for row in rows], at)

    async def interactions(self, execution_id: str, at: datetime) -> Sequence[Row]:
        """Return the questions that had been asked, oldest first."""
        statement = as_of_steps.interactions(self._columns("interactions"))
        rows = await self._fetch(statement, at, execution_id, MAX_QUESTION_ROWS)
        return [_of_then(row) for row in rows]

    async def begin(self) -> datetime | None:
        """Return when the oldest execution in the rows began."""
        rows = await self._fetch(as_of_executions.ROWS_BEGIN)
        return rows[0]["rows_begin"] if rows else None


def numbered(statement: str) -> str:
    """Return a statement with SQLite's numbered arguments."""
    return re.sub(r"\$(\d+)", r"?\1", statement)


def _narrowed(wanted: PastFilter) -> list[Any]:
    after: list[Any] = [] if wanted.after is None else list(wanted.after)
    return after if wanted.pipeline_id is None else [*after, wanted.pipeline_id]


def _of_then(row: Row) -> Row:
    """Leave out references to stored values that the row did not have yet."""
    told = row.get("references")
    if told is None:
        return row
    found = {
        pointer: reference
        for pointer, reference in msgspec.json.decode(told).items()
        if row.get(pointer.split("/")[1]) is not None
    }
    return row | {"references": Raw(msgspec.json.encode(found)) if found else None}
