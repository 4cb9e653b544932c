"""The facts an executor appends to the events topic; the only truth of the system.

Every event is frozen and ignores unknown fields, so a newer executor never breaks an older reader;
strictness lives in the schema tests. `event_type` is the CloudEvents type and carries the version:
a breaking change is a new class with a new type and an upcaster
(see `steplog_contracts.upcasting`).
What is true of every event (execution, seq, time, epoch, cause) is in `steplog_contracts.envelope`.
"""

from datetime import datetime
from typing import ClassVar

from pydantic import Field, NonNegativeFloat, PositiveInt

from steplog_contracts.event_base import ErrorInfo, Event, Index, Origin, StepEvent
from steplog_contracts.parent_visit import ParentVisit
from steplog_contracts.payload import JsonObject, JsonValue
from steplog_contracts.undo_events import (
    ExecutionCompensating,
    StepCompensated,
    StepCompensationFailed,
    StepCompensationStarted,
)

__all__ = [
    "ENDINGS",
    "EVENT_CLASSES",
    "EVENT_CLASS_BY_TYPE",
    "CommandRefused",
    "ErrorInfo",
    "Event",
    "ExecutionCancelled",
    "ExecutionCompensating",
    "ExecutionCompleted",
    "ExecutionDeadlinePassed",
    "ExecutionFailed",
    "ExecutionStarted",
    "Origin",
    "PartitionClaimed",
    "StepAttemptFailed",
    "StepCancelled",
    "StepChildStarted",
    "StepCompensated",
    "StepCompensationFailed",
    "StepCompensationStarted",
    "StepCompleted",
    "StepEvent",
    "StepFailed",
    "StepProgressed",
    "StepResumed",
    "StepScheduled",
    "StepSkipped",
    "StepStarted",
    "StepWaiting",
]  # fmt: skip


class ExecutionStarted(Event):
    """A pipeline began. Always seq 1 of its execution."""

    event_type: ClassVar[str] = "steplog.execution.started.v1"
    payload_fields: ClassVar[tuple[str, ...]] = ("input", "parameters", "metadata")

    pipeline_id: str
    pipeline_name: str
    pipeline_version: str | None = None
    definition: JsonObject | None = None  # Inline, or known to readers by its hash.
    definition_hash: str | None = None  # sha256 of the definition's compact JSON.
    input: JsonValue = None
    parameters: JsonObject = Field(default_factory=dict)  # As resolved over declared defaults.
    metadata: JsonObject = Field(default_factory=dict)
    total_steps: int = 0  # Steps the definition declares.
    command_id: str | None = None
    origin: Origin | None = None
    parent_execution_id: str | None = None
    parent_visit: ParentVisit | None = Field(default=None, exclude_if=lambda visit: visit is None)
    concurrency_key: str | None = None  # Executions of one key are bounded together.
    requested_by: str | None = None  # Who sent the command, as far as its sender knew.
    # The rules its definition is read and run by; absent before there was a second set of them.
    language: PositiveInt = Field(default=1, exclude_if=lambda language: language == 1)


class StepScheduled(StepEvent):
    """A visit is due later (loop delay, delayed start); the step itself has not begun."""

    event_type: ClassVar[str] = "steplog.step.scheduled.v1"

    due_at: datetime


class StepStarted(StepEvent):
    """An attempt began. It is acknowledged before the step's code runs."""

    event_type: ClassVar[str] = "steplog.step.started.v1"
    payload_fields: ClassVar[tuple[str, ...]] = ("input",)

    step_name: str = ""  # For display.
    step_type: str = "task"
    input: JsonValue = None  # What the step was given; null from the second attempt on: unchanged.
    # Of a map: how many items it goes through.
    item_count: Index | None = Field(default=None, exclude_if=lambda count: count is None)
    # What `now()` is in its templates, for every attempt; none where they don't ask.
    evaluated_at: datetime | None = Field(default=None, exclude_if=lambda at: at is None)


class StepAttemptFailed(StepEvent):
    """An attempt failed and another one follows at `retry_at`."""

    event_type: ClassVar[str] = "steplog.step.attempt_failed.v1"

    error: ErrorInfo
    retry_at: datetime
    duration_ms: NonNegativeFloat = 0.0
    # Its last heartbeat, where that is not on record by itself.
    progress: JsonValue = Field(default=None, exclude_if=lambda progress: progress is None)


class StepProgressed(StepEvent):
    """What a running step said of itself by a heartbeat; at most one a second for each visit."""

    event_type: ClassVar[str] = "steplog.step.progressed.v1"

    progress: JsonValue = None


class StepCompleted(StepEvent):
    """A step returned and its output is final.

    Recorded once for a visit, after its last attempt. `taken` holds the indices, in the
    definition's order, of the paths the flow follows from here: routing is a recorded fact, so no
    condition is ever evaluated again when an execution is folded.
    """

    event_type: ClassVar[str] = "steplog.step.completed.v1"
    payload_fields: ClassVar[tuple[str, ...]] = ("output",)

    output: JsonValue = None
    taken: tuple[int, ...] = ()
    duration_ms: NonNegativeFloat = 0.0
    used_fallback: bool = False  # The output is that of `fallback`, after the last attempt failed.
    error: ErrorInfo | None = None  # What the fallback answered.


class StepFailed(StepEvent):
    """A step failed for good. With `continued`, the flow goes on with `output` as its result."""

    event_type: ClassVar[str] = "steplog.step.failed.v1"
    payload_fields: ClassVar[tuple[str, ...]] = ("output",)

    error: ErrorInfo
    continued: bool = False
    output: JsonValue = None
    taken: tuple[int, ...] = ()
    duration_ms: NonNegativeFloat = 0.0


class StepSkipped(StepEvent):
    """A declared step that no taken path led to, recorded when its execution completes."""

    event_type: ClassVar[str] = "steplog.step.skipped.v1"

    step_name: str = ""
    step_type: str = "task"
    reason: str = ""


class StepCancelled(StepEvent):
    """A step was stopped before it ended: by a cancel, by a failure of another branch, or because
    nothing waits for its branch any more."""

    event_type: ClassVar[str] = "steplog.step.cancelled.v1"

    reason: str = ""
    duration_ms: NonNegativeFloat = 0.0
    # What made it needless where the execution goes on or completes: a join's step, or `end_all`.
    superseded_by: str | None = Field(default=None, exclude_if=lambda by: by is None)


class StepWaiting(StepEvent):
    """A step asked a person and its branch pauses until it is resumed or expires."""

    event_type: ClassVar[str] = "steplog.step.waiting.v1"
    payload_fields: ClassVar[tuple[str, ...]] = ("output",)

    interaction_id: str
    prompt: str | None = None
    ui_schema: JsonValue = None
    channels: JsonValue = None
    assigned_users: JsonValue = None
    output: JsonValue = None  # The whole result that asked; the answer is merged into it.
    expires_at: datetime | None = None


class StepResumed(StepEvent):
    """A person answered, or the wait expired; the step's end follows as an event of its own."""

    event_type: ClassVar[str] = "steplog.step.resumed.v1"
    payload_fields: ClassVar[tuple[str, ...]] = ("human_input",)

    interaction_id: str
    human_input: JsonValue = None
    responded_by: str | None = None
    timed_out: bool = False


class StepChildStarted(StepEvent):
    """A step had another pipeline begun, whose end will be its own; recorded once that is asked."""

    event_type: ClassVar[str] = "steplog.step.child_started.v1"

    child_execution_id: str
    expires_at: datetime | None = None  # When the step no longer waits for the child's end.


class ExecutionDeadlinePassed(Event):
    """The deadline passed at which the flow goes to a step; what was open is cancelled next."""

    event_type: ClassVar[str] = "steplog.execution.deadline_passed.v1"

    to_step: str
    passed_at: datetime


class ExecutionCompleted(Event):
    """Every branch ended."""

    event_type: ClassVar[str] = "steplog.execution.completed.v1"
    payload_fields: ClassVar[tuple[str, ...]] = ("output",)

    output: JsonValue = None
    duration_ms: NonNegativeFloat = 0.0


class ExecutionFailed(Event):
    """A step or a bound failed the whole execution."""

    event_type: ClassVar[str] = "steplog.execution.failed.v1"

    error: ErrorInfo
    duration_ms: NonNegativeFloat = 0.0


class ExecutionCancelled(Event):
    """A cancel command ended the execution."""

    event_type: ClassVar[str] = "steplog.execution.cancelled.v1"

    reason: str = ""
    requested_by: str | None = None
    duration_ms: NonNegativeFloat = 0.0


class CommandRefused(Event):
    """A command that changes nothing, and why. Outside any execution's history: seq 0."""

    event_type: ClassVar[str] = "steplog.command.refused.v1"

    command_id: str
    command_type: str
    code: str  # For programs, such as `duplicate_execution` or `bad_definition`.
    message: str  # For people: one sentence with the remedy.
    requested_by: str | None = None


class PartitionClaimed(Event):
    """An executor took over writing to a partition; the offset of this record is its epoch."""

    event_type: ClassVar[str] = "steplog.partition.claimed.v1"

    partition: int
    owner: str  # Instance id of the executor.


EVENT_CLASSES: tuple[type[Event], ...] = (
    ExecutionStarted,
    StepScheduled,
    StepStarted,
    StepAttemptFailed,
    StepProgressed,
    StepCompleted,
    StepFailed,
    StepSkipped,
    StepCancelled,
    StepWaiting,
    StepResumed,
    StepChildStarted,
    StepCompensated,
    ExecutionCompensating,
    StepCompensationStarted,
    StepCompensationFailed,
    ExecutionDeadlinePassed,
    ExecutionCompleted,
    ExecutionFailed,
    ExecutionCancelled,
    CommandRefused,
    PartitionClaimed,
)
ENDINGS = (ExecutionCompleted, ExecutionFailed, ExecutionCancelled)
EVENT_CLASS_BY_TYPE: dict[str, type[Event]] = {cls.event_type: cls for cls in EVENT_CLASSES}
