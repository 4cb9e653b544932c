"""Executions and their steps."""

import base64
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response

from contracts.envelope import format_time
from contracts.records import ExecutionStatus
from tracker_service.http_api.answers import answer, record
from tracker_service.http_api.past import AsOf, AtSeq, Past
from tracker_service.http_api.problems import BadQuestion, NotFound
from tracker_service.http_api.waiting import DEFAULT_WAIT_MS, AtLeast, TimeoutMs, WaitFor, wait
from tracker_service.store.reading import (
    DEFAULT_PAGE_ROWS,
    MAX_PAGE_ROWS,
    ExecutionFilter,
    ReadModel,
    Row,
)

Limit = Annotated[int, Query(ge=1, le=MAX_PAGE_ROWS)]
Cursor = Annotated[str | None, Query(max_length=600, description="next_cursor of a page.")]
PipelineId = Annotated[str | None, Query(max_length=200)]


def routes(model: ReadModel, topic: str, past: Past) -> APIRouter:
    """Return the routes over a read model."""
    router = APIRouter(prefix="/api", tags=["executions"])

    @router.get("/executions", responses=_SHAPES["list"])
    async def list_executions(
        limit: Limit = DEFAULT_PAGE_ROWS,
        cursor: Cursor = None,
        status: ExecutionStatus | None = None,
        pipeline_id: PipelineId = None,
        as_of: AsOf = None,
    ) -> Response:
        """List executions, newest first; with `as_of` as they stood then."""
        if as_of is not None:
            stood = status and status.value
            return await past.listed(
                as_of, limit=limit, cursor=cursor, status=stood, pipeline_id=pipeline_id
            )
        after = None if cursor is None else _read_cursor(cursor)
        freshness = await model.freshness(topic)
        wanted = ExecutionFilter(limit + 1, status and status.value, pipeline_id, after)
        rows = list(await model.executions(wanted))
        following = _cursor(rows[limit - 1]) if len(rows) > limit else None
        items = [record(row) for row in rows[:limit]]
        return answer({"items": items, "next_cursor": following}, freshness)

    @router.get("/executions/{execution_id}", responses=_SHAPES["one"])
    async def get_execution(
        execution_id: str,
        wait_for: WaitFor = None,
        at_least: AtLeast = None,
        timeout_ms: TimeoutMs = DEFAULT_WAIT_MS,
        as_of: AsOf = None,
        at_seq: AtSeq = None,
    ) -> Response:
        """Return one execution, after waiting for a command or an offset if asked to.

        With `as_of` or `at_seq` it is told as it stood, with its steps and questions.
        """
        satisfied = await wait(model, topic, wait_for, at_least, timeout_ms)
        freshness = await model.freshness(topic)
        row = await existing(model, execution_id)
        if as_of is not None or at_seq is not None:
            return await past.one(row, as_of, at_seq)
        return answer({"execution": record(row)}, freshness, satisfied=satisfied)

    @router.get("/executions/{execution_id}/steps", responses=_SHAPES["list"])
    async def get_steps(execution_id: str, as_of: AsOf = None, at_seq: AtSeq = None) -> Response:
        """Return an execution's visits to steps in the order they began."""
        if as_of is not None or at_seq is not None:
            return await past.steps(await existing(model, execution_id), as_of, at_seq)
        freshness = await model.freshness(topic)
        rows = await model.steps(execution_id)
        if not rows:
            await existing(model, execution_id)
        return answer({"items": [record(row) for row in rows]}, freshness)

    return router


async def existing(model: ReadModel, execution_id: str) -> Row:
    """Return an execution's row; raise `NotFound` where there is none."""
    row = await model.execution(execution_id)
    if row is None:
        raise await not_found(model, execution_id)
    return row


async def not_found(model: ReadModel, execution_id: str) -> NotFound:
    """Return the error for an execution that has no row, with what may have become of it."""
    pruned_before = await model.pruned_before()
    if pruned_before is None:
        return NotFound(f"There is no execution {execution_id} in the rows.")
    return NotFound(
        f"There is no execution {execution_id} in the rows. It may have been pruned, as those that "
        f"ended before {format_time(pruned_before)} were; `steplog rebuild` brings them back from "
        "the log."
    )


def _cursor(row: Row) -> str:
    text = f"{row['started_at'].isoformat()}|{row['execution_id']}"
    return base64.urlsafe_b64encode(text.encode()).decode()


def _read_cursor(cursor: str) -> tuple[datetime, str]:
    try:
        text = base64.urlsafe_b64decode(cursor.encode()).decode()
        started_at, execution_id = text.split("|", 1)
        time = datetime.fromisoformat(started_at)
    except ValueError as error:
        raise BadQuestion("cursor is not the next_cursor of a page.") from error
    if time.tzinfo is None or "\x00" in execution_id:
        raise BadQuestion("cursor is not the next_cursor of a page.")
    return time, execution_id


_SHAPES: dict[str, dict[int | str, dict[str, Any]]] = {
    "list": {200: {"description": "`items`, `next_cursor` where there are more, `freshness`."}},
    "one": {
        200: {"description": "`execution` and `freshness`."},
        404: {"description": "Problem details: no such execution."},
    },
}
