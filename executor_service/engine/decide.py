"""What follows: from the state alone, from an attempt's result, from an answer, from time.

Every function is pure: it reads a state and returns the events to record, in order. Conditions are
evaluated here, once, and what they led to is recorded in `taken`.
"""

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta

from executor_service.engine.child_input import recorded_input
from executor_service.engine.human_waits import asks_a_person, waiting
from executor_service.engine.map_input import map_input
from executor_service.engine.map_items import ITEMS
from executor_service.engine.path_choice import path_after, paths_taken
from executor_service.engine.plan import WAIT, StepPlan
from executor_service.engine.retry import MAX_LOST_ATTEMPTS
from executor_service.engine.scope import Scope
from executor_service.engine.state import State
from executor_service.engine.step_events import step_completed, step_started
from executor_service.engine.templates import render_inputs
from executor_service.engine.visit import Visit
from executor_service.engine.visit_events import of_visit, problem_info, routing_failed
from executor_service.engine.waits import wait_until
from executor_service.errors import AttemptsLost, ConditionFailed, StepProblem
from steplog_contracts import events as ev
from steplog_contracts.definition_parts import FIRST_LANGUAGE
from steplog_contracts.payload import JsonObject, JsonValue


def starts(state: State, clock: Callable[[], datetime]) -> list[ev.Event]:
    """Return the beginnings of every step that may begin now, or its schedule in a delayed loop.

    `clock` is asked only where a loop is delayed, or a template asks.
    """
    ready = state.frontier.ready()
    if state.plan.joins and not state.plan.joins.isdisjoint(ready):
        for step_id in ready:
            join = state.plan.steps[step_id].join
            if join is not None and join.needed:
                # Alone: what else is ready may be of the rest, or may have to wait for it now.
                visits = [] if join.leaves_rest else state.frontier.rest_of(step_id)[0]
                return [*superseded(state, visits, step_id), _start(state, step_id, clock)]
    return [_start(state, step_id, clock) for step_id in ready]


def _start(state: State, step_id: str, clock: Callable[[], datetime]) -> ev.Event:
    arrival = state.frontier.gather(step_id)
    plan = state.plan
    step = plan.steps[step_id]
    iteration = state.iterations.get(step_id, 0) + 1
    delay_seconds = plan.loop.iteration_delay_seconds
    if step.begins_plainly and not delay_seconds:
        return step_started(step_id, iteration, 1, step.name, step.type, arrival.scope.data)
    due_at: datetime | None = None
    if delay_seconds and arrival.closes_cycle:
        due_at = clock() + timedelta(seconds=delay_seconds)
    if step.type == WAIT and state.language > FIRST_LANGUAGE:
        due_at = _wait_over(state, step, arrival.scope, due_at or clock())
    if due_at is not None:
        return ev.StepScheduled(step_id=step_id, iteration=iteration, due_at=due_at)
    return _first_start(state, step, iteration, arrival.scope, clock)


def _wait_over(state: State, step: StepPlan, scope: Scope, now: datetime) -> datetime | None:
    """Return when a step that waits is to be begun; None where that can't be told: it then begins,
    and fails with the reason (see `executor_service.steps.plain_steps`)."""
    try:
        return wait_until(state, step, scope, step_input(state, step, scope, now), now)
    except StepProblem:
        return None


def superseded(state: State, step_ids: Iterable[str], by: str) -> list[ev.Event]:
    """Return the end of open visits whose branches nothing waits for any more."""
    return [
        ev.StepCancelled(
            **of_visit(state.visits[step_id]),
            reason=f"'{by}' does not wait for its branch.",
            superseded_by=by,
        )
        for step_id in step_ids
    ]


def scheduled_start(state: State, not_before: datetime) -> list[ev.Event]:
    """Return the schedule of the flow's first step, for an execution that begins later."""
    step = state.plan.steps[state.plan.start_at]
    due_at = not_before
    if step.type == WAIT and state.language > FIRST_LANGUAGE:
        due_at = _wait_over(state, step, state.root, not_before) or not_before
    return [ev.StepScheduled(step_id=step.id, due_at=max(due_at, not_before))]


def _first_start(
    state: State, step: StepPlan, iteration: int, scope: Scope, clock: Callable[[], datetime]
) -> ev.StepStarted:
    now = clock() if step.asks_time else None
    if step.mapped is not None:
        return _map_start(state, step, iteration, scope, now)
    given = step_input(state, step, scope, now) if step.inputs else scope.data
    if step.child is not None and step.child.has_input:
        given = recorded_input(step.child, state.reading(scope, now), step.id)
    name, kind = step.name, step.type
    return step_started(step.id, iteration, 1, name, kind, given, evaluated_at=now)


def _map_start(
    state: State, step: StepPlan, iteration: int, scope: Scope, now: datetime | None
) -> ev.StepStarted:
    given = map_input(state, step, scope, now)
    return ev.StepStarted(
        step_id=step.id,
        iteration=iteration,
        step_name=step.name,
        step_type=step.type,
        input=given,
        item_count=len(given[ITEMS] or ()),
        evaluated_at=now,
    )


def step_input(
    state: State, step: StepPlan, scope: Scope, now: datetime | None = None
) -> JsonObject:
    """Return the data a step is given. Where a required input leads nowhere it is the plain data:
    the attempt then fails with that as its reason (see `executor_service.runtime.attempt`)."""
    if not step.inputs:
        return scope.data
    try:
        reading = state.reading(scope, now)
        return scope.data | render_inputs(step.inputs, reading, f"Step '{step.id}'")
    except StepProblem:
        return scope.data


def due(state: State, step_id: str, now: datetime) -> list[ev.Event]:
    """Return what the passing of time brings for a visit, if anything: a start, or an expiry."""
    visit = state.visits.get(step_id)
    if visit is None:
        return []
    if visit.status == "scheduled" and _reached(visit.due_at, now):
        return [_first_start(state, visit.step, visit.iteration, visit.scope, lambda: now)]
    if visit.status == "retrying" and _reached(visit.due_at, now):
        return [_again(visit)]
    if visit.status == "waiting" and _reached(visit.expires_at, now):
        return [
            ev.StepResumed(**of_visit(visit), interaction_id=visit.interaction_id, timed_out=True)
        ]
    return []


def _reached(due_at: datetime | None, now: datetime) -> bool:
    return due_at is not None and due_at <= now


def lost(state: State, step_id: str) -> list[ev.Event]:
    """Return what follows for an attempt that was started by a process that is gone."""
    visit = state.visits[step_id]
    if visit.attempt - visit.failures < MAX_LOST_ATTEMPTS:
        return [_again(visit)]
    problem = AttemptsLost(
        f"The process died {MAX_LOST_ATTEMPTS} times while step '{step_id}' ran; it is not run "
        "again, look at the step's memory and native code."
    )
    return gave_up(state, step_id, problem_info(problem, visit), problem)


def _again(visit: Visit) -> ev.StepStarted:
    return ev.StepStarted(
        step_id=visit.step.id,
        iteration=visit.iteration,
        item_index=visit.step.item_index,
        attempt=visit.attempt + 1,
        step_name=visit.step.name,
        step_type=visit.step.type,
    )


def returned(
    state: State,
    step_id: str,
    output: JsonValue,
    *,
    clock: Callable[[], datetime],
    duration_ms: float = 0.0,
    fallback_for: ev.ErrorInfo | None = None,
) -> list[ev.Event]:
    """Return what follows from a result: the step's end with its routing, or a wait.

    `clock` is asked only where a wait has to expire.
    """
    visit = state.visits[step_id]
    if output is not None and fallback_for is None and asks_a_person(output):
        return [waiting(state, visit, output, clock())]
    try:
        taken = paths_taken(state, visit, output)
    except ConditionFailed as problem:
        return [routing_failed(visit, problem, duration_ms)]
    attempt, index = visit.attempt, visit.step.item_index
    return [
        step_completed(
            step_id, visit.iteration, attempt, output, taken, duration_ms, fallback_for, index
        )
    ]


def failed_attempt(
    state: State,
    step_id: str,
    error: ev.ErrorInfo,
    *,
    retry_at: datetime,
    duration_ms: float,
    progress: JsonValue = None,
) -> list[ev.Event]:
    """Return the record of an attempt after which another one follows."""
    visit = state.visits[step_id]
    return [
        ev.StepAttemptFailed(
            **of_visit(visit),
            error=error,
            retry_at=retry_at,
            duration_ms=duration_ms,
            progress=progress,
        )
    ]


def progressed(visit: Visit, progress: JsonValue) -> ev.Event:
    """Return the record of what a running visit says of itself."""
    return ev.StepProgressed(**of_visit(visit), progress=progress)


def gave_up(
    state: State,
    step_id: str,
    error: ev.ErrorInfo,
    raised: BaseException | None = None,
    *,
    duration_ms: float = 0.0,
) -> list[ev.Event]:
    """Return a step's final failure; with `catch` or `continue_on_error` the flow goes on from it.

    `raised` is the exception that `error` tells of, if there is one: it knows its bases, by which
    a `catch` may name it.
    """
    visit = state.visits[step_id]
    caught = path_after(visit.step, error, raised)
    if caught is None and not visit.step.continue_on_error:
        return [ev.StepFailed(**of_visit(visit), error=error, duration_ms=duration_ms)]
    output = error_result(visit.step, error, state.language)
    try:
        taken = (caught.index,) if caught else paths_taken(state, visit, output, failed=True)
    except ConditionFailed as problem:
        return [routing_failed(visit, problem, duration_ms)]
    return [
        ev.StepFailed(
            **of_visit(visit), error=error, continued=True, output=output, taken=taken,
            duration_ms=duration_ms,
        )
    ]  # fmt: skip


def error_result(step: StepPlan, error: ev.ErrorInfo, language: int) -> JsonObject:
    """Return what becomes the result of a failed step whose flow goes on."""
    if language > FIRST_LANGUAGE:
        return {
            "error": {
                "type": error.type.rpartition(".")[2],
                "message": error.message,
                "step_id": step.id,
                "attempt": error.attempt,
            }
        }
    return {
        "step_error": True,
        "error_message": error.message,
        "error_type": error.type.rpartition(".")[2],
        "step_name": step.id,
    }
