"""What an execution went through: its graph, timeline, waits, definition and relatives."""

import json
from typing import Any

from fastapi import APIRouter, Response
from pydantic import ValidationError

from tracker_service.http_api import schemas
from tracker_service.http_api.flow_graph import graph
from tracker_service.http_api.problems import NotFound
from tracker_service.http_api.query_context import AskedIfChanged, AskedOfExecution, OfExecution
from tracker_service.http_api.reasons import Standing, reasons
from tracker_service.http_api.responses import record
from tracker_service.store.queries import Row
from tracker_service.store.read_port import ReadModel

MAX_WAITS = 1_000
_RELATIVE = (
    "execution_id", "pipeline_id", "pipeline_name", "status", "started_at", "completed_at",
    "fork_kind", "fork_step", "fork_seq", "forked_from", "parent_execution_id",
)  # fmt: skip

router = APIRouter(prefix="/api/executions/{execution_id}", tags=["histories"])


@router.get("/graph", responses=schemas.answers(schemas.GraphAnswer, 404))
async def get_graph(one: AskedIfChanged) -> Response:
    """Return the flow with the state of each step; `taken` is null where rows can't tell."""
    visits = [record(visit) for visit in await one.parts.model.bars(one.execution_id)]
    mask = await one.parts.masks.of_execution(one.row)
    drawn = _graph(mask.value(await _definition(one)), visits)
    return await one.answer(
        {"execution_id": one.execution_id, "status": one.row["status"], **drawn}
    )


@router.get("/timeline", responses=schemas.answers(schemas.TimelineAnswer, 404))
async def get_timeline(one: AskedIfChanged) -> Response:
    """Return what happened when: visits, failed attempts, waits, status changes, undoings."""
    model, execution_id = one.parts.model, one.execution_id
    undone = ("step_id", "iteration", "seq", "compensated_at", "error_info")
    body = {
        "execution_id": execution_id,
        **record(_picked(one.row, ("status", "started_at", "completed_at"))),
        "visits": [record(visit) for visit in await model.bars(execution_id)],
        "attempts": [
            record({**attempt, "error_info": None})
            for attempt in await model.attempts(execution_id)
        ],
        "waits": await _waits(one),
        "status_changes": [record(row) for row in await model.status_changes(execution_id)],
        "compensations": [
            record(_picked(row, undone)) for row in await model.compensations(execution_id)
        ],
    }
    return await one.answer(body)


@router.get("/attempts", responses=schemas.answers(schemas.AttemptPage, 404))
async def get_attempts(one: AskedIfChanged) -> Response:
    """Return failed attempts that were followed by another, with their errors."""
    items = [record(attempt) for attempt in await one.parts.model.attempts(one.execution_id)]
    return await one.answer({"items": items})


@router.get("/waits", responses=schemas.answers(schemas.InteractionPage, 404))
async def get_waits(one: AskedIfChanged) -> Response:
    """Return the questions an execution asked people, answered ones too."""
    return await one.answer({"items": await _waits(one)})


@router.get("/definition", responses=schemas.answers(schemas.DefinitionAnswer, 404))
async def get_definition(one: AskedIfChanged) -> Response:
    """Return the definition an execution runs by, with its secrets masked."""
    definition = await _definition(one)
    if definition is None:
        raise NotFound(f"Execution {one.execution_id} was recorded without its definition.")
    return await one.answer(
        {"definition_hash": one.row["definition_hash"], "definition": definition}
    )


@router.get("/relatives", responses=schemas.answers(schemas.RelativesAnswer, 404))
async def get_relatives(one: AskedOfExecution) -> Response:
    """Return where an execution comes from and what came of it: forks, retries, children."""
    model, row = one.parts.model, one.row
    after = await model.relatives(one.execution_id)
    body = {
        "execution_id": one.execution_id,
        "origin": await _relative(model, row["forked_from"]),
        "parent": await _relative(model, row["parent_execution_id"]),
        **_picked(row, ("fork_kind", "fork_step", "fork_seq")),
        "forks": [_told(other) for other in after if other["fork_kind"] == "fork"],
        "retries": [_told(other) for other in after if other["fork_kind"] == "retry"],
        "children": [
            _told(other) for other in after if other["parent_execution_id"] == one.execution_id
        ],
    }
    return await one.fleeting_answer(body)


@router.get("/why", responses=schemas.answers(schemas.WhyAnswer, 404))
async def get_why(one: AskedOfExecution) -> Response:
    """Return what an execution waits for, or why it ended, with what a person can do."""
    model, execution_id = one.parts.model, one.execution_id
    standing = Standing(
        one.row,
        await model.bars(execution_id),
        await model.attempts(execution_id),
        await model.interactions(execution_id=execution_id, pending_only=True, limit=MAX_WAITS),
        await model.compensations(execution_id),
        {row["execution_id"]: row for row in await model.relatives(execution_id)},
        one.asked.freshness,
    )
    body = {"execution_id": execution_id, "status": one.row["status"], "reasons": reasons(standing)}
    return await one.fleeting_answer(body)


async def _definition(one: OfExecution) -> Any:
    if one.row["definition_hash"] is None:
        return None
    text = await one.parts.model.definition(one.row["definition_hash"])
    try:
        return None if text is None else json.loads(text)
    except (ValueError, RecursionError):
        return None


def _graph(definition: Any, visits: list[Row]) -> dict[str, Any]:
    try:
        drawn: dict[str, Any] = graph(definition, visits)
    except ValidationError:
        # Recorded by a program that keeps another form; what was visited can be told anyway.
        drawn = graph(None, visits)
    return drawn


async def _waits(one: OfExecution) -> list[Row]:
    waits = await one.parts.model.interactions(
        execution_id=one.execution_id, pending_only=False, limit=MAX_WAITS
    )
    return [record(wait) for wait in waits]


async def _relative(model: ReadModel, execution_id: str | None) -> Row | None:
    if execution_id is None:
        return None
    rows = await model.executions_by_id([execution_id])
    if rows:
        return _told(rows[0])
    # Its history may be older than the log, or not applied yet.
    return {**dict.fromkeys(_RELATIVE), "execution_id": execution_id}


def _told(row: Row) -> Row:
    return record(_picked(row, _RELATIVE))


def _picked(row: Row, names: tuple[str, ...]) -> Row:
    return {name: row[name] for name in names}
