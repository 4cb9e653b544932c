"""A branch where it stands: at a step that has not ended, or at its own end."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from executor_service.engine.plan import PathPlan, StepPlan
from executor_service.engine.scope import Scope
from steplog_contracts import events as ev
from steplog_contracts.payload import JsonValue

# `mapping`: a map, while its items are visited; `child`: waits for the end of another execution;
# `stopped`: its end is to be recorded, as cancelled.
VisitStatus = Literal[
    "scheduled", "running", "retrying", "waiting", "answered", "mapping", "child", "stopped"
]


@dataclass(init=False)
class Visit:
    """A step that a branch stands at, from StepScheduled or StepStarted until its end.

    What it has not come to yet stands in the class: most visits never do.
    """

    step: StepPlan
    iteration: int
    scope: Scope
    path_index: int
    status: VisitStatus = "running"
    attempt: int = 0
    failures: int = 0  # Recorded ones; an attempt lost with its process is none.
    input: JsonValue = None
    evaluated_at: datetime | None = None  # What `now()` is, where its templates ask.
    due_at: datetime | None = None  # Of a scheduled start or of the next attempt.
    interaction_id: str | None = None
    asked: JsonValue = None  # The result that asked a person.
    expires_at: datetime | None = None
    human_input: JsonValue = None
    timed_out: bool = False
    last_error: ev.ErrorInfo | None = None
    progress: JsonValue = None  # Its last heartbeat on record, of whichever attempt.

    def __init__(
        self, step: StepPlan, iteration: int, scope: Scope, path_index: int, **later: Any
    ) -> None:
        """`later`: what it has come to since, by field."""
        self.step = step
        self.iteration = iteration
        self.scope = scope
        self.path_index = path_index
        if later:
            self.__dict__.update(later)

    def fail(self, event: ev.StepAttemptFailed) -> None:
        """Take a failed attempt after which another one follows."""
        self.status = "retrying"
        self.failures += 1
        self.due_at = event.retry_at
        self.last_error = event.error
        if event.progress is not None:
            self.progress = event.progress

    def wait(self, event: ev.StepWaiting) -> None:
        """Take a question to a person."""
        self.status = "waiting"
        self.interaction_id = event.interaction_id
        self.asked = event.output
        self.expires_at = event.expires_at

    def answer(self, event: ev.StepResumed) -> None:
        """Take the end of a wait."""
        self.status = "answered"
        self.human_input = event.human_input
        self.timed_out = event.timed_out


@dataclass(slots=True)
class Undone:
    """A completed visit that a compensation would undo."""

    step: StepPlan
    iteration: int
    scope: Scope
    input: JsonValue
    output: JsonValue
    evaluated_at: datetime | None = None


@dataclass(slots=True)
class Undoing:
    """A compensation, and how the step that is undone now stands; `stuck` waits for a person."""

    error: ev.ErrorInfo | None
    reason: str
    requested_by: str | None
    status: Literal["ready", "running", "retrying", "stuck"] = "ready"
    attempt: int = 0
    failures: int = 0
    due_at: datetime | None = None
    last_error: ev.ErrorInfo | None = None
    progress: JsonValue = None  # The last heartbeat of what undoes the step.


@dataclass(slots=True)
class EndedBranch:
    """A branch that ended, kept for the final output; `path_index` is the last path it took."""

    path_index: int
    scope: Scope


def ended_with_failure(path: PathPlan) -> ev.ErrorInfo:
    """Return the error of an execution that a path led to `end_with_failure`."""
    return ev.ErrorInfo(
        type="EndedWithFailure",
        message=f"The flow went from step '{path.from_id}' to '{path.to_id}'.",
        step_id=path.from_id,
    )
