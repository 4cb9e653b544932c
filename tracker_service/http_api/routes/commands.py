"""Commands over HTTP: run, cancel, resume, retry, fork. Each is 202 once it is in the log."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Body, Path, Response
from pydantic import Field, model_validator

from steplog_contracts.commands import (
    MAX_EXECUTION_ID_CHARS,
    CancelExecution,
    ExecutionId,
    ForkExecution,
    ResumeExecution,
    RetryExecution,
    RunPipeline,
)
from steplog_contracts.payload import JsonObject, JsonValue
from tracker_service.http_api import command_submission, schemas
from tracker_service.http_api.command_submission import Submission, Submitted, Submitting
from tracker_service.http_api.human_answers import answers_for_anyone, check_answer
from tracker_service.http_api.moments import Moment
from tracker_service.log.command_sink import execution_id_beside, execution_id_for

MAX_NAME_CHARS: Final = 500
_PATH_ID: Final = Path(max_length=MAX_EXECUTION_ID_CHARS, pattern=r"^[A-Za-z0-9][A-Za-z0-9._:@-]*$")
CommandedId = Annotated[str, _PATH_ID]
Name = Annotated[
    str, Field(min_length=1, max_length=MAX_NAME_CHARS, pattern=r"^[^\x00-\x1f\x7f]+$")
]
_ANSWERS: Final[dict[int | str, dict[str, Any]]] = {
    202: {
        "model": Submitted,
        "description": "It is in the log; `Location` shows what comes of it.",
    },
    **schemas.problems(400, 409, 413),
}

router = APIRouter(prefix="/api/executions", tags=["commands"])


class RunRequest(command_submission.Body):
    """An execution of a pipeline the executor knows by name, or of a definition given here."""

    pipeline: Name | None = None
    definition: JsonObject | None = None
    input: JsonValue = Field(default_factory=dict)
    parameters: JsonObject = Field(default_factory=dict)
    metadata: JsonObject = Field(default_factory=dict)
    execution_id: ExecutionId | None = None
    not_before: Moment | None = None
    priority: int = Field(0, strict=True, ge=-1_000_000, le=1_000_000)
    concurrency_key: Name | None = None
    parent_execution_id: ExecutionId | None = None

    @model_validator(mode="after")
    def _one_of_two(self) -> "RunRequest":
        if (self.pipeline is None) == (self.definition is None):
            raise ValueError("give either pipeline or definition")
        return self


class CancelRequest(command_submission.Body):
    """Why an execution is to stop."""

    reason: str = Field("", max_length=2_000)
    compensate: bool = False  # Whether its completed steps are undone first.


class ResumeRequest(command_submission.Body):
    """An answer to a step that waits; the step may be left out if only one waits."""

    human_input: JsonValue
    step_id: Name | None = None


class RetryRequest(command_submission.Body):
    """A retry; the new execution's id is made here."""


class ForkRequest(command_submission.Body):
    """Where to begin anew; `input_patch` is a JSON Merge Patch of the origin's input."""

    from_step: Name
    iteration: int = Field(1, strict=True, ge=1, le=2**31 - 1)
    input_patch: JsonObject = Field(default_factory=dict)


@router.post("", status_code=202, responses=_ANSWERS)
async def run_pipeline(submission: Submitting, given: RunRequest) -> Response:
    """Start an execution."""
    return await begin(submission, given)


@router.post("/{execution_id}/cancel", status_code=202, responses=_ANSWERS)
async def cancel_execution(
    submission: Submitting,
    execution_id: CommandedId,
    given: Annotated[CancelRequest, Body(default_factory=CancelRequest)],
) -> Response:
    """Stop an execution before its next step."""
    command_id = submission.command_id(f"cancel {execution_id}")
    command = submission.made(
        CancelExecution,
        execution_id=execution_id,
        reason=given.reason,
        compensate=given.compensate,
    )
    return await submission.answered(command, command_id)


@router.post("/{execution_id}/resume", status_code=202, responses=_ANSWERS)
async def resume_execution(
    submission: Submitting, execution_id: CommandedId, given: ResumeRequest
) -> Response:
    """Answer a step that waits for a person; the answer is held to the question's form."""
    model, caller = submission.parts.model, submission.caller
    await check_answer(model, caller, execution_id, given.step_id, given.human_input)
    command_id = submission.command_id(f"resume {execution_id}")
    command = submission.made(
        ResumeExecution,
        execution_id=execution_id,
        any_assignee=answers_for_anyone(caller),
        **given.model_dump(),
    )
    return await submission.answered(command, command_id)


@router.post("/{execution_id}/retry", status_code=202, responses=_ANSWERS)
async def retry_execution(
    submission: Submitting,
    execution_id: CommandedId,
    _given: Annotated[RetryRequest, Body(default_factory=RetryRequest)],
) -> Response:
    """Begin a new execution that goes on where a failed or cancelled one stopped."""
    command_id = submission.command_id(f"retry {execution_id}")
    partitions = await submission.sink.partitions()
    command = submission.made(
        RetryExecution,
        execution_id=execution_id_beside(execution_id, command_id, partitions),
        origin_execution_id=execution_id,
    )
    return await submission.answered(command, command_id)


@router.post("/{execution_id}/fork", status_code=202, responses=_ANSWERS)
async def fork_execution(
    submission: Submitting, execution_id: CommandedId, given: ForkRequest
) -> Response:
    """Begin a new execution at the moment a step of another one began."""
    command_id = submission.command_id(f"fork {execution_id}")
    partitions = await submission.sink.partitions()
    command = submission.made(
        ForkExecution,
        execution_id=execution_id_beside(execution_id, command_id, partitions),
        origin_execution_id=execution_id,
        **given.model_dump(),
    )
    return await submission.answered(command, command_id)


async def begin(submission: Submission, given: RunRequest) -> Response:
    """Send the command that begins an execution; also for the paths of old dashboards."""
    command_id = submission.command_id("run")
    execution_id = given.execution_id or execution_id_for(command_id)
    if given.concurrency_key is not None and given.execution_id is None:
        partitions = await submission.sink.partitions()
        execution_id = execution_id_beside(given.concurrency_key, command_id, partitions)
    command = submission.made(RunPipeline, **{**given.model_dump(), "execution_id": execution_id})
    return await submission.answered(command, command_id)
