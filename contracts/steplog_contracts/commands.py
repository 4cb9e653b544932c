"""What people and programs ask an executor to do; each may be refused.

A command is keyed by the execution it concerns, so it reaches the one executor that owns that
execution's partition. Its CloudEvents id is the command id: sending the same command twice has
the effect of sending it once. RetryExecution and ForkExecution begin a new execution and so name
two: they are keyed by the origin, and `execution_id` must hash to the origin's partition.
"""

import re
from datetime import UTC, datetime
from typing import Annotated, ClassVar, Final, Literal

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    PositiveInt,
    StringConstraints,
)

from steplog_contracts.data_ref import References
from steplog_contracts.errors import UndecodableRecord
from steplog_contracts.events import ErrorInfo
from steplog_contracts.headers import MAX_ID_BYTES
from steplog_contracts.parent_visit import ParentVisit
from steplog_contracts.payload import JsonObject, JsonValue, json_problem
from steplog_contracts.refusal_codes import RefusalCode

# Long enough for any id people use, short enough for a record key and an index entry.
MAX_EXECUTION_ID_CHARS = 200

# Printable and free of spaces: ids stand in URLs, file names and record keys.
_EXECUTION_ID = r"^[A-Za-z0-9][A-Za-z0-9._:@-]*$"
ExecutionId = Annotated[
    str,
    StringConstraints(min_length=1, max_length=MAX_EXECUTION_ID_CHARS, pattern=_EXECUTION_ID),
]
EXECUTION_ID = re.compile(f"(?=.{{1,{MAX_EXECUTION_ID_CHARS}}}$){_EXECUTION_ID}", re.ASCII)


# Of ids and names that come to stand in an index: four bytes each stay below what one takes.
MAX_ID_CHARS = 500
MAX_REASON_CHARS = 10_000


# What an id must be, in every place where one is refused.
ID_RULE = f"give at most {MAX_ID_CHARS} characters and {MAX_ID_BYTES} bytes, all of them printable"


def is_id(text: str) -> bool:
    """Say whether a text can be an id: not empty, not too long for a header, printable."""
    if not (0 < len(text) <= MAX_ID_CHARS and text.isprintable()):
        return False
    return len(text.encode()) <= MAX_ID_BYTES


def _id(text: str) -> str:
    if text and not is_id(text):
        raise ValueError(ID_RULE)
    return text


def _reason(text: str) -> str:
    if len(text) > MAX_REASON_CHARS:
        raise ValueError(f"give at most {MAX_REASON_CHARS} characters")
    return text


def _in_utc(time: datetime) -> datetime:
    try:
        return time.astimezone(UTC)
    except OverflowError:
        raise ValueError("there is no such time in UTC") from None


# Not as constraints of the published schema: what was sent before keeps its form there.
_Id = Annotated[str, AfterValidator(_id)]
_Time = Annotated[AwareDatetime, AfterValidator(_in_utc)]


# Of a command with its values, wherever it is sent: what is large in it is stored apart.
MAX_COMMAND_WITH_VALUES_BYTES: Final = 32 * 1024 * 1024


class Command(BaseModel):
    """An intent. Subclasses name their wire type in `command_type`.

    What is too large for a record may be stored first, as with events: `payload_fields` are the
    fields that may, `references` says which did.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", ser_json_inf_nan="constants")

    command_type: ClassVar[str]
    payload_fields: ClassVar[tuple[str, ...]] = ()

    execution_id: ExecutionId
    requested_by: _Id | None = None
    references: References | None = Field(default=None, exclude_if=lambda found: found is None)


def check_values(command: Command) -> None:
    """Raise `UndecodableRecord` for a value of a user's that not every reader can take."""
    for name in type(command).model_fields:
        problem = json_problem(getattr(command, name))
        if problem is not None:
            raise UndecodableRecord(RefusalCode.BAD_PAYLOAD, f"{name}: {problem}.")


class RunPipeline(Command):
    """Start an execution, of an inline definition or of one the executor knows by name."""

    command_type: ClassVar[str] = "steplog.command.run_pipeline.v1"
    payload_fields: ClassVar[tuple[str, ...]] = ("input", "parameters", "metadata")

    pipeline: _Id | None = None  # Name in the executor's folder of definitions.
    definition: JsonObject | None = None
    input: JsonValue = Field(default_factory=dict)
    parameters: JsonObject = Field(default_factory=dict)
    metadata: JsonObject = Field(default_factory=dict)
    not_before: _Time | None = None
    priority: int = 0  # Higher starts first among commands waiting for a free slot.
    concurrency_key: _Id | None = None  # Executions with one key run within its limit.
    parent_execution_id: _Id | None = None
    # The visit of the parent's step that waits for the end, where one does.
    parent_visit: ParentVisit | None = Field(default=None, exclude_if=lambda visit: visit is None)


class CancelExecution(Command):
    """Stop an execution before its next step; running async steps are cancelled."""

    command_type: ClassVar[str] = "steplog.command.cancel_execution.v1"

    reason: Annotated[str, AfterValidator(_reason)] = ""
    compensate: bool = Field(default=False, exclude_if=lambda compensate: not compensate)


class ResumeExecution(Command):
    """Answer a step that waits for a person; the step may be left out if only one waits."""

    command_type: ClassVar[str] = "steplog.command.resume_execution.v1"
    payload_fields: ClassVar[tuple[str, ...]] = ("human_input",)

    step_id: str | None = None
    human_input: JsonValue = Field(default_factory=dict)
    # Also a question to others, for a sender whose rights cover it (`requested_by` is held to
    # `assigned_users` otherwise).
    any_assignee: bool = Field(default=False, exclude_if=lambda any_assignee: not any_assignee)


class RetryExecution(Command):
    """Begin a new execution that goes on where a failed one stopped, its results taken over."""

    command_type: ClassVar[str] = "steplog.command.retry_execution.v1"

    origin_execution_id: ExecutionId
    # Of a child that is retried with its parent; one that completed meanwhile is taken over whole.
    parent_execution_id: _Id | None = Field(default=None, exclude_if=lambda parent: parent is None)
    parent_visit: ParentVisit | None = Field(default=None, exclude_if=lambda visit: visit is None)


class ForkExecution(Command):
    """Begin a new execution from a recorded point of another: the moment a step began.

    `input_patch` is laid over the origin's input as RFC 7396 (JSON Merge Patch) says: null removes.
    """

    command_type: ClassVar[str] = "steplog.command.fork_execution.v1"

    origin_execution_id: ExecutionId
    from_step: str
    iteration: PositiveInt = 1  # Which visit to the step, in a loop.
    input_patch: JsonObject = Field(default_factory=dict)


class ChildEnded(Command):
    """Say to an execution that another one, which a step of it began, has ended; sent by the
    executor that ended it, again and again until it is in the log of commands."""

    command_type: ClassVar[str] = "steplog.command.child_ended.v1"
    payload_fields: ClassVar[tuple[str, ...]] = ("output",)

    child_execution_id: _Id
    visit: ParentVisit
    status: Literal["completed", "failed", "cancelled"]
    output: JsonValue = None
    error: ErrorInfo | None = None


COMMAND_CLASSES: tuple[type[Command], ...] = (
    RunPipeline,
    CancelExecution,
    ResumeExecution,
    RetryExecution,
    ForkExecution,
    ChildEnded,
)
COMMAND_CLASS_BY_TYPE: dict[str, type[Command]] = {c.command_type: c for c in COMMAND_CLASSES}
