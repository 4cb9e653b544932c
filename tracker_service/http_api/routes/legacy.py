"""The paths dashboards of the library before steplog call: the same records, read from the rows.

Answers are bare records and lists, as those dashboards expect; freshness stands in headers.
"""

from typing import Annotated, Any, Final

import msgspec
from fastapi import APIRouter, Path, Query, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field

from steplog_contracts.commands import CancelExecution, ResumeExecution
from steplog_contracts.payload import JsonObject, JsonValue, json_problem
from steplog_contracts.records import ExecutionStatus
from tracker_service.http_api import command_submission, schemas
from tracker_service.http_api.command_submission import Submitting
from tracker_service.http_api.context import ExecutionIdInPath
from tracker_service.http_api.filters import PLAIN_TEXT, Text
from tracker_service.http_api.human_answers import answers_for_anyone, check_answer_to
from tracker_service.http_api.problems import NotFound, Refused
from tracker_service.http_api.query_context import Asked, Question
from tracker_service.http_api.responses import freshness_headers, record
from tracker_service.http_api.routes import commands
from tracker_service.http_api.routes.commands import CommandedId, RunRequest
from tracker_service.store.queries import MAX_PAGE_ROWS, ExecutionFilter, Row

MAX_PENDING: Final = 500
_ENDED: Final = frozenset({"completed", "failed", "cancelled"})

router = APIRouter(prefix="/api", tags=["old dashboards"])


class Job(schemas.ExecutionShape):
    """An execution as old dashboards know it."""

    job_id: str
    error: str | None
    progress: float = Field(ge=0, le=1)


class JobWithSteps(Job):
    """The same with its steps."""

    steps: list[schemas.StepShape]


class JobAccepted(BaseModel):
    """A command that is in the log."""

    job_id: str
    status: str


class Answered(BaseModel):
    """An answer that is in the log."""

    interaction_id: str
    status: str


class AnswerGiven(command_submission.Body):
    """An answer to a question."""

    human_input: JsonValue = Field(default_factory=dict)
    responded_by: str | None = Field(None, max_length=200)


_ACCEPTED: Final[dict[int | str, dict[str, Any]]] = {
    202: {"model": JobAccepted, "description": "It is in the log."},
    **schemas.problems(400, 409, 413),
}


@router.get("/execute", responses={200: {"model": list[Job]}, **schemas.problems()})
async def list_jobs(
    asked: Asked,
    limit: Annotated[int, Query(ge=1, le=MAX_PAGE_ROWS)] = 50,
    pipeline_id: Annotated[str | None, Text] = None,
    status: ExecutionStatus | None = None,
) -> Response:
    """List the newest executions, without steps."""
    statuses = () if status is None else (status.value,)
    wanted = ExecutionFilter(limit=limit, pipeline_id=pipeline_id, statuses=statuses)
    rows = await asked.parts.model.executions(wanted)
    return await _plain(asked, [_job(row) for row in rows])


@router.get("/execute/{job_id}", responses={200: {"model": JobWithSteps}, **schemas.problems(404)})
async def get_job(asked: Asked, job_id: ExecutionIdInPath) -> Response:
    """Return one execution with its steps in the order they started."""
    row = await asked.parts.execution(job_id)
    steps = [record(step) for step in await asked.parts.model.steps(job_id)]
    return await _plain(asked, {**_job(row), "steps": steps})


@router.post("/execute/{job_id}", status_code=202, responses=_ACCEPTED)
async def start_job(
    submission: Submitting,
    pipeline_id: Annotated[
        str, Path(alias="job_id", max_length=200, pattern=PLAIN_TEXT, description="A pipeline's.")
    ],
    given: JsonObject | None = None,
) -> Response:
    """Start an execution; the body is its input, or holds it as `input_data`."""
    body = given or {}
    problem = json_problem(body)
    if problem is not None:
        raise RequestValidationError([{"loc": ("body",), "msg": problem, "type": "value_error"}])
    input_data = body.get("input_data", body)
    accepted = await commands.begin(submission, RunRequest(pipeline=pipeline_id, input=input_data))
    return _accepted(accepted, "pending")


@router.delete("/execute/{job_id}", status_code=202, responses=_ACCEPTED)
async def cancel_job(submission: Submitting, job_id: CommandedId) -> Response:
    """Cancel an execution."""
    command = submission.made(CancelExecution, execution_id=job_id)
    accepted = await submission.answered(command, submission.command_id(f"cancel {job_id}"))
    return _accepted(accepted, "cancelling")


@router.get(
    "/hitl/pending",
    responses={200: {"model": list[schemas.InteractionShape]}, **schemas.problems()},
)
async def list_pending(asked: Asked) -> Response:
    """List the questions that wait for a person, oldest first."""
    rows = await asked.parts.model.interactions(limit=MAX_PENDING)
    return await _plain(asked, [record(row) for row in rows])


@router.get(
    "/hitl/{interaction_id}",
    responses={200: {"model": schemas.InteractionShape}, **schemas.problems(404)},
)
async def get_question(asked: Asked, interaction_id: ExecutionIdInPath) -> Response:
    """Return one question to a person."""
    return await _plain(asked, record(await _question(asked, interaction_id)))


@router.post(
    "/hitl/{interaction_id}/respond",
    status_code=202,
    responses={
        202: {"model": Answered, "description": "The answer is in the log."},
        **schemas.problems(400, 404, 409, 413),
    },
)
async def respond(
    asked: Asked, submission: Submitting, interaction_id: ExecutionIdInPath, given: AnswerGiven
) -> Response:
    """Answer a question."""
    question = await _question(asked, interaction_id)
    if question["status"] != "pending":
        raise Refused("already_answered", f"Interaction {interaction_id} is {question['status']}.")
    caller = submission.caller
    check_answer_to(question, caller, given.human_input)
    command = submission.made(
        ResumeExecution,
        execution_id=question["execution_id"],
        step_id=question["step_id"],
        human_input=given.human_input,
        requested_by=caller.name or given.responded_by,
        any_assignee=answers_for_anyone(caller),
    )
    accepted = await submission.answered(command, submission.command_id(f"answer {interaction_id}"))
    return _with_body(accepted, {"interaction_id": interaction_id, "status": "accepted"})


async def _question(asked: Question, interaction_id: str) -> Row:
    row = await asked.parts.model.interaction(interaction_id)
    if row is None:
        raise NotFound(
            f"There is no interaction {interaction_id}; `steplog waits ID` lists those of an "
            "execution."
        )
    return row


def _job(row: Row) -> Row:
    done, total = row["completed_steps"] + row["failed_steps"], row["total_steps"]
    progress = 1.0 if row["status"] in _ENDED else min(1.0, done / total) if total else 0.0
    return {
        **record(row),
        "job_id": row["execution_id"],
        "error": row["error_message"],
        "progress": progress,
    }


async def _plain(asked: Question, body: Any) -> Response:
    return Response(
        msgspec.json.encode(await asked.parts.masks.shown(body)),
        media_type="application/json",
        headers={**freshness_headers(asked.freshness), "Cache-Control": "no-store"},
    )


def _accepted(response: Response, status: str) -> Response:
    """Return a command's answer with the body old dashboards read."""
    job_id = response.headers["Location"].rpartition("/")[2]
    return _with_body(response, {"job_id": job_id, "status": status})


def _with_body(response: Response, body: dict[str, str]) -> Response:
    response.body = msgspec.json.encode(body)
    response.headers["Content-Length"] = str(len(response.body))
    return response
