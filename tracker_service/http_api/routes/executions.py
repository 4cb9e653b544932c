"""Executions: the list, its counts, and one with its steps."""

from typing import Annotated, Final

from fastapi import APIRouter, Query, Response

from steplog_contracts.definition_parts import MAX_NAME_CHARS
from steplog_contracts.envelope import format_time
from steplog_contracts.records import StepStatus
from tracker_service.http_api import schemas
from tracker_service.http_api.as_of import AsOf, AtSeq, refuse_with
from tracker_service.http_api.cursors import write_cursor
from tracker_service.http_api.filters import Cursor, Narrowed, Paged, beyond_the_past, on_page
from tracker_service.http_api.query_context import Asked, AskedIfChanged
from tracker_service.http_api.responses import record
from tracker_service.store.queries import MAX_STEP_ROWS
from tracker_service.store.sql.items import MAX_ITEM_ROWS

AfterSeq = Annotated[int, Query(ge=0, le=2**53, description="seq of the last step of a page.")]
StepLimit = Annotated[int, Query(ge=1, le=MAX_STEP_ROWS)]
DEFAULT_ITEM_ROWS: Final = 100
MapStep = Annotated[str, Query(min_length=1, max_length=MAX_NAME_CHARS)]
Iteration = Annotated[int, Query(ge=1, le=2**31 - 1, description="Which visit to the map.")]
AfterIndex = Annotated[
    int, Query(ge=-1, le=2**31 - 1, description="item_index of the last item of a page.")
]
ItemStatus = Annotated[StepStatus | None, Query()]
ItemLimit = Annotated[int, Query(ge=1, le=MAX_ITEM_ROWS - 1)]

router = APIRouter(prefix="/api", tags=["executions"])


@router.get("/executions", responses=schemas.answers(schemas.ExecutionPage))
async def list_executions(
    asked: Asked, wanted: Paged, cursor: Cursor = None, as_of: AsOf = None
) -> Response:
    """List executions, the newest first unless asked otherwise; with `as_of` as they stood then.

    A page may be short and still have a `next_cursor`: filters without an index look at a bounded
    number of rows each time. `metadata.<key>=<text>` asks for a metadata value.
    """
    parts = asked.parts
    if as_of is not None:
        refuse_with(as_of, **beyond_the_past(wanted))
        status = wanted.statuses[0] if wanted.statuses else None
        return await parts.past.listed(
            as_of,
            limit=wanted.limit,
            cursor=cursor,
            status=status,
            pipeline_id=wanted.pipeline_id,
        )
    wanted = on_page(wanted, cursor)
    page = await parts.model.page(wanted)
    following = page.following and write_cursor(
        page.following, wanted.sort, descending=wanted.descending
    )
    items = [record(row) for row in page.rows]
    return await asked.answer({"items": items, "next_cursor": following})


@router.get("/counts", responses=schemas.answers(schemas.CountsAnswer))
async def count_executions(asked: Asked, wanted: Narrowed, as_of: AsOf = None) -> Response:
    """Count executions by status, under the filters of the list; or all as they stood.

    Large numbers are counted up to a bound (`at_least` names those statuses) or, without filters,
    taken from a tally of a moment ago (`counted_at`); `exact` says if neither.
    """
    if as_of is not None:
        refuse_with(as_of, status=wanted.statuses, pipeline_id=wanted.pipeline_id)
        refuse_with(as_of, **beyond_the_past(wanted))
        return await asked.parts.past.counted(as_of)
    counted = await asked.parts.tallies.count(wanted)
    body = {
        "counts": {status: n for status, n in counted.by_status.items() if n},
        "total": sum(counted.by_status.values()),
        "exact": counted.exact,
        "at_least": counted.at_least,
        "counted_at": counted.counted_at and format_time(counted.counted_at),
    }
    return await asked.answer(body)


@router.get("/executions/{execution_id}", responses=schemas.answers(schemas.OneExecution, 404))
async def get_execution(one: AskedIfChanged, as_of: AsOf = None, at_seq: AtSeq = None) -> Response:
    """Return one execution, after waiting for a command or an offset if asked to.

    With `as_of` or `at_seq` it is told as it stood, with its steps and questions.
    """
    if as_of is not None or at_seq is not None:
        return await one.parts.past.one(one.row, as_of, at_seq)
    return await one.answer({"execution": record(one.row)})


@router.get("/executions/{execution_id}/steps", responses=schemas.answers(schemas.StepPage, 404))
async def get_steps(
    one: AskedIfChanged,
    after_seq: AfterSeq = 0,
    limit: StepLimit = MAX_STEP_ROWS,
    as_of: AsOf = None,
    at_seq: AtSeq = None,
) -> Response:
    """Return an execution's visits to steps in the order they began.

    A map is one visit whose `item_counts` count its items; they have pages of their own.
    """
    if as_of is not None or at_seq is not None:
        return await one.parts.past.steps(one.row, as_of, at_seq)
    steps = await one.parts.model.steps(one.execution_id, after_seq=after_seq, limit=limit)
    return await one.answer({"items": [record(step) for step in steps]})


@router.get("/executions/{execution_id}/items", responses=schemas.answers(schemas.ItemPage, 404))
async def get_items(
    one: AskedIfChanged,
    step: MapStep,
    iteration: Iteration = 1,
    after_index: AfterIndex = -1,
    status: ItemStatus = None,
    limit: ItemLimit = DEFAULT_ITEM_ROWS,
) -> Response:
    """Return the visits to the items of a map in the items' order, those that have begun."""
    rows = await one.parts.model.items.page(
        one.execution_id,
        step,
        iteration,
        after=after_index,
        status=None if status is None else status.value,
        limit=limit + 1,
    )
    shown = rows[:limit]
    following = shown[-1]["item_index"] if len(rows) > limit else None
    return await one.answer({"items": [record(row) for row in shown], "next_index": following})
