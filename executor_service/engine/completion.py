"""How an execution ends: everything done, a failure, a bound passed, a cancel."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from executor_service.engine.cancelled_visits import cancelled, elapsed_ms
from executor_service.engine.compensation import compensating
from executor_service.engine.decide import superseded
from executor_service.engine.limits import limit_passed, must_turn
from executor_service.engine.state import State
from executor_service.engine.step_events import execution_completed
from executor_service.engine.templates import render_inputs
from executor_service.errors import LoopBoundExceeded, SchemaMismatch, StepProblem
from steplog_contracts import events as ev
from steplog_contracts.payload import JsonValue

# The end marker that completes an execution, whatever else still runs.
END_ALL: Final = "end_all"


def must_end(state: State, clock: Callable[[], datetime]) -> bool:
    """Say whether the execution must fail, or was being cancelled when its process died."""
    plan = state.plan
    if state.cancelling is not None or state.finishing or state.failure is not None:
        return True
    if plan.limits is None and not plan.steps_on_cycles:
        return False  # Nothing is bounded, and this is asked at every step.
    if reason_to_fail(state, clock) is not None:
        return True
    return state.plan.limits is not None and must_turn(state, clock())


def reason_to_fail(state: State, clock: Callable[[], datetime]) -> ev.ErrorInfo | None:
    """Return why the execution must end as failed, or None: a failed step, or a bound passed.

    `clock` is asked only where the flow has loops.
    """
    if state.failure is not None:
        return state.failure
    if state.finishing:
        return None
    passed = None if state.plan.limits is None else limit_passed(state, clock())
    if passed is not None or not state.plan.steps_on_cycles:
        return passed  # Without cycles no step comes round.
    now = clock()
    ready = state.frontier.ready()
    if state.plan.loop.iteration_delay_seconds:
        ready += _scheduled_now(state, now)
    for step_id in ready:
        problem = _bound_passed(state, step_id, now)
        if problem is not None:
            return ev.ErrorInfo(type=type(problem).__name__, message=str(problem), step_id=step_id)
    return None


def _scheduled_now(state: State, now: datetime) -> list[str]:
    """Return the steps whose delay is over."""
    return [
        step_id
        for step_id, visit in state.visits.items()
        if visit.status == "scheduled" and visit.due_at is not None and visit.due_at <= now
    ]


def _bound_passed(state: State, step_id: str, now: datetime) -> LoopBoundExceeded | None:
    runs = state.iterations.get(step_id, 0)
    if runs and step_id in state.visits:
        runs -= 1  # One that was scheduled is counted already.
    if not runs:
        return None
    loop = state.plan.loop
    if runs >= loop.max_iterations:
        return LoopBoundExceeded(
            f"Step '{step_id}' was to run for the {runs + 1}th time; loop_config.max_iterations "
            f"is {loop.max_iterations}. Give the loop a condition that ends it, or raise the bound."
        )
    began = state.first_started_at.get(step_id, state.started_at)
    longest = loop.max_loop_time_seconds
    if longest is None or began is None or now - began <= timedelta(seconds=longest):
        return None
    return LoopBoundExceeded(
        f"Step '{step_id}' was to run again {(now - began).total_seconds():.1f} s after it first "
        f"began; loop_config.max_loop_time_seconds is {longest:g}."
    )


def everything_ended(state: State) -> bool:
    """Say whether no branch is left."""
    return state.started and not state.visits and not state.frontier.arrived


def ending(state: State, now: datetime) -> list[ev.Event] | None:
    """Return the end of an execution that fails, or that a branch completed for all; None of one
    that is cancelled."""
    if state.finishing:
        return [*superseded(state, list(state.visits), END_ALL), *completion(state, now)]
    error = reason_to_fail(state, lambda: now)
    return None if error is None else failing(state, error, now)


def completion(state: State, now: datetime) -> list[ev.Event]:
    """Return the end of an execution whose every branch has ended."""
    duration_ms = elapsed_ms(state, now)
    try:
        output = _final_output(state)
    except StepProblem as problem:
        error = ev.ErrorInfo(type=type(problem).__name__, message=str(problem))
        return failing(state, error, now)
    skipped = [
        ev.StepSkipped(
            step_id=step.id, step_name=step.name, step_type=step.type, reason="No path led to it."
        )
        for step in state.plan.ordered
        if step.id not in state.iterations
    ]
    return [*skipped, execution_completed(output, duration_ms)]


def _final_output(state: State) -> JsonValue:
    scope = state.final_scope()
    plan = state.plan
    output: JsonValue = scope.data
    if plan.outputs is not None:
        output = dict.fromkeys((declared.name for declared in plan.outputs), None)
        output |= render_inputs(plan.outputs, state.reading(scope), "outputs")
    problem = plan.check_output(output) if plan.check_output else None
    if problem is not None:
        raise SchemaMismatch(f"The pipeline's output breaks its output_schema: {problem}")
    return output


def failing(state: State, error: ev.ErrorInfo, now: datetime) -> list[ev.Event]:
    """Return the end of an execution that fails; steps of other branches are cancelled."""
    if state.plan.compensates and state.done and state.undoing is None:
        return compensating(state, error, "")
    where = f" in step '{error.step_id}'" if error.step_id else ""
    return [
        *cancelled(state, f"The execution failed{where}."),
        ev.ExecutionFailed(error=error, duration_ms=elapsed_ms(state, now)),
    ]


def cancelling(
    state: State, reason: str, requested_by: str | None, now: datetime
) -> list[ev.Event]:
    """Return the end of an execution that was told to stop."""
    return [
        *cancelled(state, reason),
        ev.ExecutionCancelled(
            reason=reason, requested_by=requested_by, duration_ms=elapsed_ms(state, now)
        ),
    ]
