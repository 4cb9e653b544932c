"""What follows for a step that has another pipeline run: begun, ended, or taking too long."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal

from executor_service.engine import decide
from executor_service.engine.child_plan import child_id_of
from executor_service.engine.state import State
from executor_service.engine.visit import Visit
from executor_service.engine.visit_events import completed, of_visit
from steplog_contracts import events as ev
from steplog_contracts.event_base import RetriedChild
from steplog_contracts.payload import JsonValue

# The error of a child that was to be retried, and of which there is no history.
CHILD_NOT_FOUND: Final = "ChildNotFound"


@dataclass(frozen=True, slots=True)
class ChildBegun:
    """The child was asked for; nobody can take that back."""

    child_id: str


@dataclass(frozen=True, slots=True)
class ChildTimedOut:
    """The child took too long and was called off; `fraction` is the random one of a delay."""

    fraction: float


@dataclass(frozen=True, slots=True)
class ChildEnd:
    """How a child ended, as its executor tells it."""

    child_id: str
    step_id: str
    status: Literal["completed", "failed", "cancelled"]
    output: JsonValue = None
    error: ev.ErrorInfo | None = None
    cause: str | None = None


def child_of(state: State, visit: Visit) -> str:
    """Return the id of the execution that a visit's attempt begins."""
    return child_at(state, visit.step.id, visit.iteration, visit.attempt)


def child_at(state: State, step_id: str, iteration: int, attempt: int) -> str:
    """Return the same for a visit that may be over."""
    retried = retried_child(state, step_id, iteration, attempt)
    if retried is not None:
        return retried.execution_id
    return child_id_of(state.execution_id, step_id, iteration, attempt)


def retried_child(state: State, step_id: str, iteration: int, attempt: int) -> RetriedChild | None:
    """Return the child that an attempt goes on with, where it does not begin one."""
    return state.retried.get((step_id, iteration)) if attempt == 1 and state.retried else None


def begun(state: State, step_id: str, child_id: str, now: datetime) -> list[ev.Event]:
    """Return the record that a child was asked for; a step that does not wait ends with it."""
    visit = state.visits[step_id]
    child, limit = visit.step.child, visit.step.timeout_seconds
    assert child is not None, "only a step with a child begins one"
    started = ev.StepChildStarted(
        step_id=step_id,
        iteration=visit.iteration,
        attempt=visit.attempt,
        item_index=visit.step.item_index,
        child_execution_id=child_id,
        expires_at=now + timedelta(seconds=limit) if limit and child.waits else None,
    )
    if child.waits:
        return [started]
    return [started, *completed(state, visit, {"execution_id": child_id})]


def awaited(state: State, end: ChildEnd) -> Visit | None:
    """Return the visit that waits, or is about to wait, for a child's end."""
    visit = state.visits.get(end.step_id)
    if visit is None or visit.step.child is None or visit.status not in ("running", "child"):
        return None
    return visit if child_of(state, visit) == end.child_id else None


def ended(
    state: State, visit: Visit, end: ChildEnd, now: datetime, fraction: float
) -> list[ev.Event]:
    """Return what follows from a child's end."""
    was_retried = retried_child(state, visit.step.id, visit.iteration, visit.attempt) is not None
    if was_retried and end.error is not None and end.error.type == CHILD_NOT_FOUND:
        return [_begun_after_all(visit, end.error, now)]
    if end.status != "completed":
        return failed(state, visit, error_of(visit, end), now, fraction)
    problem = visit.step.check_output(end.output) if visit.step.check_output else None
    if problem is None:
        return completed(state, visit, end.output)
    text = f"The output of child {end.child_id} breaks the output_schema: {problem}"
    return decide.gave_up(state, end.step_id, _error(visit, "SchemaMismatch", text))


def _begun_after_all(visit: Visit, error: ev.ErrorInfo, now: datetime) -> ev.Event:
    """Return the record that a child could not be gone on with: the next attempt begins one."""
    text = f"{error.message} Another child is begun."
    info = _error(visit, error.type, text)
    return ev.StepAttemptFailed(**of_visit(visit), error=info, retry_at=now)


def failed(
    state: State, visit: Visit, error: ev.ErrorInfo, now: datetime, fraction: float
) -> list[ev.Event]:
    """Return what follows for a step whose child did not complete: another one, or its failure."""
    policy, failures = visit.step.retry, visit.failures + 1
    names = frozenset({error.type, error.type.rpartition(".")[2]})
    if policy is not None and failures < policy.max_attempts and policy.covers_names(names):
        retry_at = now + policy.delay(failures, fraction)
        return decide.failed_attempt(
            state, visit.step.id, error, retry_at=retry_at, duration_ms=0.0
        )
    return decide.gave_up(state, visit.step.id, error)


def error_of(visit: Visit, end: ChildEnd) -> ev.ErrorInfo:
    """Return the error of a step whose child failed or was cancelled: the child's own."""
    if end.error is None:
        return _error(visit, "ChildCancelled", f"Execution {end.child_id} was cancelled.")
    return end.error.model_copy(update={"step_id": visit.step.id, "attempt": visit.attempt or 1})


def timed_out(visit: Visit) -> ev.ErrorInfo:
    """Return the error of a step whose child took too long."""
    seconds = visit.step.timeout_seconds or 0.0
    text = f"The child of step '{visit.step.id}' took longer than {seconds:g} s."
    return _error(visit, "StepTimedOut", text)


def _error(visit: Visit, kind: str, message: str) -> ev.ErrorInfo:
    return ev.ErrorInfo(
        type=kind, message=message, step_id=visit.step.id, attempt=visit.attempt or 1
    )
