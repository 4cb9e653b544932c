"""What follows: from the state alone, from an attempt's result, from an answer, from time.

Every function is pure: it reads a state and returns the events to record, in order. Conditions are
evaluated here, once, and what they led to is recorded in `taken`.
"""

import uuid
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from executor_service.engine.map_input import map_input
from executor_service.engine.map_items import ITEMS
from executor_service.engine.plan import StepPlan
from executor_service.engine.retry import MAX_LOST_ATTEMPTS
from executor_service.engine.routing import answers_expiry, paths_taken
from executor_service.engine.scope import Scope
from executor_service.engine.state import State
from executor_service.engine.step_events import step_completed, step_started
from executor_service.engine.templates import render_inputs
from executor_service.engine.visit import Visit
from executor_service.errors import AttemptsLost, ConditionFailed, StepProblem, WaitExpired
from steplog_contracts import events as ev
from steplog_contracts.payload import JsonObject, JsonValue

HUMAN_INPUT_REQUIRED = "human_input_required"
_INTERACTIONS = uuid.uuid5(uuid.NAMESPACE_URL, "https://steplog.dev/interactions")


def starts(state: State, clock: Callable[[], datetime]) -> list[ev.Event]:
    """Return the beginnings of every step that may begin now, or its schedule in a delayed loop.

    `clock` is asked only where a loop is delayed.
    """
    events: list[ev.Event] = []
    delay_seconds = state.plan.loop.iteration_delay_seconds
    for step_id in state.frontier.ready():
        arrival = state.frontier.gather(step_id)
        step = state.plan.steps[step_id]
        iteration = state.iterations.get(step_id, 0) + 1
        if delay_seconds and arrival.closes_cycle:
            due_at = clock() + timedelta(seconds=delay_seconds)
            events.append(ev.StepScheduled(step_id=step_id, iteration=iteration, due_at=due_at))
        else:
            events.append(_first_start(state, step, iteration, arrival.scope))
    return events


def scheduled_start(state: State, not_before: datetime) -> list[ev.Event]:
    """Return the schedule of the flow's first step, for an execution that begins later."""
    step_id = state.plan.start_at
    return [ev.StepScheduled(step_id=step_id, due_at=not_before)]


def _first_start(state: State, step: StepPlan, iteration: int, scope: Scope) -> ev.StepStarted:
    if step.mapped is not None:
        return _map_start(state, step, iteration, scope)
    given = step_input(state, step, scope)
    return step_started(step.id, iteration, 1, step.name, step.type, given)


def _map_start(state: State, step: StepPlan, iteration: int, scope: Scope) -> ev.StepStarted:
    given = map_input(state, step, scope)
    return ev.StepStarted(
        step_id=step.id,
        iteration=iteration,
        step_name=step.name,
        step_type=step.type,
        input=given,
        item_count=len(given[ITEMS] or ()),
    )


def step_input(state: State, step: StepPlan, scope: Scope) -> JsonObject:
    """Return the data a step is given. Where a required input leads nowhere it is the plain data:
    the attempt then fails with that as its reason (see `executor_service.runtime.attempt`)."""
    if not step.inputs:
        return scope.data
    try:
        return scope.data | render_inputs(step.inputs, state.reading(scope), f"Step '{step.id}'")
    except StepProblem:
        return scope.data


def due(state: State, step_id: str, now: datetime) -> list[ev.Event]:
    """Return what the passing of time brings for a visit, if anything: a start, or an expiry."""
    visit = state.visits.get(step_id)
    if visit is None:
        return []
    if visit.status == "scheduled" and _reached(visit.due_at, now):
        return [_first_start(state, visit.step, visit.iteration, visit.scope)]
    if visit.status == "retrying" and _reached(visit.due_at, now):
        return [_again(visit)]
    if visit.status == "waiting" and _reached(visit.expires_at, now):
        return [ev.StepResumed(**_of(visit), interaction_id=visit.interaction_id, timed_out=True)]
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
    return gave_up(state, step_id, problem_info(problem, visit))


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
    if asks_a_person(output) and fallback_for is None:
        return [_waiting(state, visit, output, clock())]
    try:
        taken = paths_taken(state, visit, output)
    except ConditionFailed as problem:
        return [_routing_failed(visit, problem, duration_ms)]
    attempt, index = visit.attempt, visit.step.item_index
    return [
        step_completed(
            step_id, visit.iteration, attempt, output, taken, duration_ms, fallback_for, index
        )
    ]


def asks_a_person(output: JsonValue) -> bool:
    """Say whether a result is a question to a person."""
    return type(output) is dict and output.get("status") == HUMAN_INPUT_REQUIRED


def _waiting(state: State, visit: Visit, asked: JsonObject, now: datetime) -> ev.StepWaiting:
    prompt, timeout = asked.get("prompt"), asked.get("timeout_seconds")
    return ev.StepWaiting(
        **_of(visit),
        interaction_id=interaction_id_of(state.execution_id, visit.step.id, visit.iteration),
        prompt=None if prompt is None else str(prompt),
        ui_schema=asked.get("ui_schema"),
        channels=asked.get("channels"),
        assigned_users=asked.get("assigned_users"),
        output=asked,
        expires_at=None if timeout is None else now + timedelta(seconds=float(timeout)),
    )


def interaction_id_of(execution_id: str, step_id: str, iteration: int) -> str:
    """Return the id of the question that a visit asks; the same one whenever it is worked out."""
    return str(uuid.uuid5(_INTERACTIONS, f"{execution_id}:{step_id}:{iteration}"))


def failed_attempt(
    state: State, step_id: str, error: ev.ErrorInfo, *, retry_at: datetime, duration_ms: float
) -> list[ev.Event]:
    """Return the record of an attempt after which another one follows."""
    visit = state.visits[step_id]
    return [
        ev.StepAttemptFailed(**_of(visit), error=error, retry_at=retry_at, duration_ms=duration_ms)
    ]


def gave_up(
    state: State, step_id: str, error: ev.ErrorInfo, *, duration_ms: float = 0.0
) -> list[ev.Event]:
    """Return a step's final failure; with `continue_on_error` the flow goes on from it."""
    visit = state.visits[step_id]
    if not visit.step.continue_on_error:
        return [ev.StepFailed(**_of(visit), error=error, duration_ms=duration_ms)]
    output = error_result(visit.step, error)
    try:
        taken = paths_taken(state, visit, output)
    except ConditionFailed as problem:
        return [_routing_failed(visit, problem, duration_ms)]
    return [
        ev.StepFailed(
            **_of(visit), error=error, continued=True, output=output, taken=taken,
            duration_ms=duration_ms,
        )
    ]  # fmt: skip


def error_result(step: StepPlan, error: ev.ErrorInfo) -> JsonObject:
    """Return what becomes the result of a failed step whose flow goes on."""
    return {
        "step_error": True,
        "error_message": error.message,
        "error_type": error.type.rpartition(".")[2],
        "step_name": step.id,
    }


def _routing_failed(visit: Visit, problem: ConditionFailed, duration_ms: float) -> ev.Event:
    # Its work is done and trying again would do it twice, so neither retry nor
    # continue_on_error applies: where to go from here is not known.
    return ev.StepFailed(**_of(visit), error=problem_info(problem, visit), duration_ms=duration_ms)


def answer(visit: Visit, human_input: JsonValue, responded_by: str | None) -> list[ev.Event]:
    """Return the record that a person answered; the step's end is `answered`."""
    return [
        ev.StepResumed(
            **_of(visit),
            interaction_id=visit.interaction_id,
            human_input=human_input,
            responded_by=responded_by,
        )
    ]


def merged_answer(visit: Visit, human_input: JsonValue) -> JsonObject:
    """Return a waiting step's output with the answer in it, and without its mark of asking."""
    asked = {key: value for key, value in visit.asked.items() if key != "status"}
    return asked | (human_input if type(human_input) is dict else {"human_input": human_input})


def answered(state: State, step_id: str) -> list[ev.Event] | None:
    """Return the end of a step whose wait is over.

    None if it expired and no path asks for that: then the step failed, with `expiry` as its error.
    """
    visit = state.visits[step_id]
    if not visit.timed_out:
        return completed(state, visit, merged_answer(visit, visit.human_input))
    output = merged_answer(visit, {"timed_out": True})
    try:
        if not answers_expiry(state, visit, output):
            return None
    except ConditionFailed as problem:
        return [_routing_failed(visit, problem, 0.0)]
    return completed(state, visit, output)


def completed(state: State, visit: Visit, output: JsonValue) -> list[ev.Event]:
    """Return the end of a step whose result no code of its own just returned."""
    try:
        taken = paths_taken(state, visit, output)
    except ConditionFailed as problem:
        return [_routing_failed(visit, problem, 0.0)]
    return [ev.StepCompleted(**_of(visit), output=output, taken=taken)]


def expiry(visit: Visit) -> WaitExpired:
    """Return the failure of a wait that nobody ended in time."""
    return WaitExpired(f"Nobody answered step '{visit.step.id}' before its wait expired.")


def problem_info(problem: StepProblem, visit: Visit) -> ev.ErrorInfo:
    """Return a problem that steplog found, as it is recorded."""
    return ev.ErrorInfo(
        type=type(problem).__name__,
        message=str(problem),
        step_id=visit.step.id,
        attempt=visit.attempt or 1,
    )


def _of(visit: Visit) -> dict[str, Any]:
    return {
        "step_id": visit.step.id, "iteration": visit.iteration, "attempt": visit.attempt or 1,
        "item_index": visit.step.item_index,
    }  # fmt: skip
