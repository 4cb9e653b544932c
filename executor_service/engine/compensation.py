"""Compensation: the completed steps of an execution that failed or was cancelled are undone.

The step completed last on record is undone first. Each attempt is recorded before it runs and again
when it is over, so after a crash anywhere the next owner goes on with the same step. One that fails
for good stops there: what was done before it may need it undone first, so a person decides.
"""

from datetime import datetime

from executor_service.engine.cancelled_visits import cancelled, elapsed_ms
from executor_service.engine.retry import MAX_LOST_ATTEMPTS, RetryPolicy
from executor_service.engine.state import State
from executor_service.engine.visit import Undoing, Undone
from executor_service.errors import AttemptsLost
from steplog_contracts import events as ev
from steplog_contracts.payload import JsonValue


def compensating(
    state: State, error: ev.ErrorInfo | None, reason: str, requested_by: str | None = None
) -> list[ev.Event]:
    """Return the beginning of a compensation; what is open is cancelled first."""
    begins = ev.ExecutionCompensating(error=error, reason=reason, requested_by=requested_by)
    return [begins, *cancelled(state, reason or "The execution is being undone.")]


def begin_undoing(state: State, event: ev.ExecutionCompensating) -> None:
    """Fold the beginning: no branch goes on any more."""
    state.undoing = Undoing(event.error, event.reason, event.requested_by)
    state.frontier.clear()
    for visit in state.visits.values():
        visit.status = "stopped"


def start_undoing(state: State, event: ev.StepCompensationStarted) -> None:
    """Fold the beginning of an attempt."""
    if state.undoing is not None:
        state.undoing.status = "running"
        state.undoing.attempt = event.attempt
        state.undoing.due_at = None


def fail_undoing(state: State, event: ev.StepCompensationFailed) -> None:
    """Fold a failed attempt, the last one where none follows by itself."""
    if state.undoing is not None:
        state.undoing.failures += 1
        state.undoing.status = "stuck" if event.retry_at is None else "retrying"
        state.undoing.due_at = event.retry_at
        state.undoing.last_error = event.error


def end_undoing(state: State, event: ev.StepCompensated) -> None:
    """Fold the end of one step's undoing."""
    if state.undoing is not None and state.done and state.done[-1].step.id == event.step_id:
        state.done.pop()
        undoing = state.undoing
        state.undoing = Undoing(undoing.error, undoing.reason, undoing.requested_by)


def next_undone(state: State) -> Undone | None:
    """Return the step to be undone next."""
    return state.done[-1] if state.done else None


def attempt_to_undo(state: State, done: Undone) -> list[ev.Event]:
    """Return the record that an attempt begins; a resumed compensation has its retries again."""
    undoing = state.undoing
    assert undoing is not None, "asked for while undoing"
    lost = undoing.attempt - undoing.failures
    if undoing.status == "running" and lost >= MAX_LOST_ATTEMPTS:
        problem = (
            f"The process died {MAX_LOST_ATTEMPTS} times while step '{done.step.id}' was undone."
        )
        error = ev.ErrorInfo(type=AttemptsLost.__name__, message=problem, step_id=done.step.id)
        return [_failed(done, undoing.attempt, error, None, 0.0)]
    return [
        ev.StepCompensationStarted(
            step_id=done.step.id,
            iteration=done.iteration,
            attempt=undoing.attempt + 1,
            item_index=done.step.item_index,
        )
    ]


def undone(state: State, done: Undone, output: JsonValue, duration_ms: float) -> list[ev.Event]:
    """Return the record that a step was undone."""
    assert state.undoing is not None, "asked for while undoing"
    return [
        ev.StepCompensated(
            step_id=done.step.id, iteration=done.iteration, attempt=state.undoing.attempt,
            item_index=done.step.item_index, output=output, duration_ms=duration_ms,
        )
    ]  # fmt: skip


def progressed(state: State, done: Undone, progress: JsonValue) -> list[ev.Event]:
    """Return the record of what a step that is being undone says of itself."""
    assert state.undoing is not None, "asked for while undoing"
    return [
        ev.StepProgressed(
            step_id=done.step.id, iteration=done.iteration, attempt=state.undoing.attempt,
            item_index=done.step.item_index, progress=progress,
        )
    ]  # fmt: skip


def not_undone(
    state: State, done: Undone, raised: BaseException, error: ev.ErrorInfo, now: datetime,
    fraction: float, duration_ms: float,
) -> list[ev.Event]:  # fmt: skip
    """Return the record of a failed attempt, and when another one follows."""
    undoing, plan = state.undoing, done.step.compensation
    assert undoing is not None, "asked for while undoing"
    policy = (None if plan is None else plan.retry) or RetryPolicy()
    round_failures = undoing.failures % policy.max_attempts + 1
    retry_at = None
    if round_failures < policy.max_attempts and policy.covers(raised):
        retry_at = now + policy.delay(round_failures, fraction)
    return [_failed(done, undoing.attempt, error, retry_at, duration_ms)]


def _failed(
    done: Undone, attempt: int, error: ev.ErrorInfo, retry_at: datetime | None, duration_ms: float
) -> ev.Event:
    return ev.StepCompensationFailed(
        step_id=done.step.id, iteration=done.iteration, attempt=attempt, error=error,
        item_index=done.step.item_index, retry_at=retry_at, duration_ms=duration_ms,
    )  # fmt: skip


def ended(state: State, now: datetime, requested_by: str | None = None) -> list[ev.Event]:
    """Return the execution's end: as it would have ended without compensation."""
    undoing = state.undoing
    assert undoing is not None, "asked for while undoing"
    duration_ms = elapsed_ms(state, now)
    if undoing.error is not None:
        return [ev.ExecutionFailed(error=undoing.error, duration_ms=duration_ms)]
    requested_by = undoing.requested_by or requested_by
    return [
        ev.ExecutionCancelled(
            reason=undoing.reason, requested_by=requested_by, duration_ms=duration_ms
        )
    ]
