"""The fold of recorded events into the state of an execution.

`evolve` owns the state it is given: it changes it in place and returns it, so a step costs the
same however many were done before. Payloads inside events are taken over, never copied and never
changed. Nothing is decided here: which paths were followed is in the events.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from executor_service.engine import compensation
from executor_service.engine.deadline import pass_deadline
from executor_service.engine.frontier import Arrival
from executor_service.engine.map_items import Items
from executor_service.engine.plan import PathPlan
from executor_service.engine.scope import Scope, drop
from executor_service.engine.state import START, State
from executor_service.engine.visit import EndedBranch, Undone, Visit, ended_with_failure
from steplog_contracts import events as ev
from steplog_contracts.definition_parts import FIRST_LANGUAGE
from steplog_contracts.item_ids import item_id, map_of


def evolve(state: State, event: ev.Event, at: datetime | None = None) -> State:
    """Fold one event; ExecutionStarted comes first.

    `at` is when the event was recorded (its envelope's time). It only serves what is measured in
    time across a restart: the duration of the execution and `max_loop_time_seconds`.
    """
    state.seq += 1
    state.recorded_at = at
    _FOLDS[type(event)](state, event)
    return state


def _execution_started(state: State, event: ev.ExecutionStarted) -> None:
    state.started_at = state.recorded_at
    state.language = event.language
    state.input = event.input
    state.parameters = event.parameters
    state.metadata = event.metadata
    state.depth = 0 if event.parent_visit is None else event.parent_visit.depth
    if event.origin is not None:
        children = event.origin.children
        state.retried = {(child.step_id, child.iteration): child for child in children}
    state.root = Scope(event.input if type(event.input) is dict else {})
    state.frontier.arrive(state.plan.start_at, Arrival(START, state.root))


def _step_scheduled(state: State, event: ev.StepScheduled) -> None:
    visit = _begin(state, event)
    visit.status = "scheduled"
    visit.due_at = event.due_at


def _step_started(state: State, event: ev.StepStarted) -> None:
    visit = state.visits.get(event.step_id)
    if visit is None:
        visit = _begin(state, event)
    visit.status = "running"
    if visit.attempt == 0:
        visit.input, visit.evaluated_at = event.input, event.evaluated_at
        if visit.step.mapped is not None:
            state.maps[event.step_id] = Items.recorded(event.step_id, event.input)
            visit.status = "mapping"
        elif visit.scope.contested and not visit.step.inputs and event.item_index is None:
            visit.scope.correct(event.input)
        at, first = state.recorded_at, event.iteration == 1
        state.began_at = state.began_at or at
        if at is not None and first and event.step_id in state.plan.steps_on_cycles:
            state.first_started_at[event.step_id] = at
    visit.attempt = event.attempt
    visit.due_at = None


def _begin(state: State, event: ev.StepEvent) -> Visit:
    step_id = event.step_id
    if event.item_index is not None:
        return _begin_item(state, step_id, event.item_index)
    arrival = state.frontier.take(step_id)
    visit = Visit(state.plan.steps[step_id], event.iteration, arrival.scope, arrival.path_index)
    state.visits[step_id] = visit
    state.iterations[step_id] = event.iteration
    join = visit.step.join
    if join is not None and join.needed:
        if join.leaves_rest:
            visit.scope.passed = visit.scope.passed | {step_id: event.iteration}
        else:
            state.frontier.drop(state.frontier.rest_of(step_id)[1])
    return visit


def _begin_item(state: State, step_id: str, index: int) -> Visit:
    """Open the visit to an item; it reads what its map's branch does and writes nothing there."""
    whole = state.visits[map_of(step_id)]
    visit = Visit(whole.step.item_at(index), whole.iteration, whole.scope, whole.path_index)
    state.visits[step_id] = visit
    state.maps[whole.step.id].begin(index)
    return visit


def _attempt_failed(state: State, event: ev.StepAttemptFailed) -> None:
    state.visits[event.step_id].fail(event)


def _step_progressed(state: State, event: ev.StepProgressed) -> None:
    if state.undoing is not None:  # What undoes the step says so.
        state.undoing.progress = event.progress
    else:
        state.visits[event.step_id].progress = event.progress


def _step_completed(state: State, event: ev.StepCompleted) -> None:
    visit = state.visits[event.step_id]
    if visit.step.compensation is not None:
        done = (visit.step, visit.iteration, visit.scope, visit.input, event.output)
        state.done.append(Undone(*done, visit.evaluated_at))
    if event.item_index is not None:
        items = _leave_item(state, event.step_id)
        if items is not None:
            items.complete(event.item_index, event.output)
        return
    visit.scope.write(event.step_id, event.output)
    _leave(state, event.step_id, event.taken)


def _step_failed(state: State, event: ev.StepFailed) -> None:
    if event.item_index is not None:
        items = _leave_item(state, event.step_id)
        if items is not None:
            items.fail(event.item_index, event.error)
        return
    if event.continued:
        if state.language > FIRST_LANGUAGE:
            _keep_error(state, event)
        else:
            state.visits[event.step_id].scope.write(event.step_id, event.output)
        _leave(state, event.step_id, event.taken)
        return
    state.visits.pop(event.step_id)
    state.maps.pop(event.step_id, None)
    if state.failure is None and not state.finishing:
        state.failure = event.error


def _leave_item(state: State, step_id: str) -> Items | None:
    """Close an item's visit; its map may have failed before it."""
    del state.visits[step_id]
    return state.maps.get(map_of(step_id))


def _keep_error(state: State, event: ev.StepFailed) -> None:
    """Keep an error that the flow goes on from under its step, and where `catch` wants it."""
    scope = state.visits[event.step_id].scope
    scope.keep(event.step_id, event.output)
    for index in event.taken:
        catch = state.plan.paths[index].catch
        if catch is not None and catch.key is not None and type(event.output) is dict:
            scope.lay(catch.key, event.output.get("error"))


def _leave(state: State, step_id: str, taken: tuple[int, ...]) -> None:
    visit = state.visits.pop(step_id)
    state.maps.pop(step_id, None)
    if state.finishing:
        return  # It ended while the execution completed: its branch is of the rest.
    scope = visit.scope
    if len(taken) == 1:
        path = state.plan.paths[taken[0]]
        if path.end is None:
            _arrive(state, path, scope)
            state.frontier.moved_on(step_id)
            return
    _fork(state, visit, [state.plan.paths[index] for index in taken])
    state.frontier.moved_on(step_id)


def _arrive(state: State, path: PathPlan, scope: Scope) -> None:
    if state.plan.leaving_joins and state.frontier.is_late(path.to_id, scope):
        state.ended_branches.append(EndedBranch(path.index, scope))
    else:
        state.frontier.arrive(path.to_id, Arrival(path.index, scope, path.closes_cycle))


def _fork(state: State, visit: Visit, taken: list[PathPlan]) -> None:
    """Send a branch on over several paths, or end it.

    An end marker beside other paths ends a branch that wrote nothing, so nothing is kept of it.
    """
    onward = [path for path in taken if path.end is None]
    failing = next((path for path in taken if path.end == "failure"), None)
    if failing is None and state.failure is None:
        state.finishing = any(path.end == "all" for path in taken)
    if state.finishing:
        onward = []
        state.frontier.drop(list(state.frontier.arrived))
    if not onward:
        last = taken[0].index if taken else visit.path_index
        state.ended_branches.append(EndedBranch(last, visit.scope))
    scopes = (
        visit.scope.fork(len(onward), state.frontier.numbers) if len(onward) > 1 else [visit.scope]
    )
    for path, scope in zip(onward, scopes, strict=False):
        _arrive(state, path, scope)
    if failing is not None and state.failure is None:
        state.failure = ended_with_failure(failing)


def _step_skipped(state: State, event: ev.StepSkipped) -> None:
    """Take note that it is on record: the end that follows it may be gone after a crash."""
    state.iterations.setdefault(event.step_id, 0)


def _step_cancelled(state: State, event: ev.StepCancelled) -> None:
    visit = state.visits.pop(event.step_id, None)
    items = state.maps.pop(event.step_id, None)
    for index in () if items is None else items.open:
        # Cancelled next; where a crash kept that from being recorded, none is tried again.
        state.visits[item_id(event.step_id, index)].status = "stopped"
    if visit is not None and visit.status == "stopped":
        state.frontier.moved_on(event.step_id)  # The flow goes on elsewhere.
    elif event.superseded_by is not None:
        if visit is not None and event.item_index is None:
            drop(visit.scope)
            state.frontier.moved_on(event.step_id)
    elif state.cancelling is None:
        state.cancelling = event.reason


def _step_waiting(state: State, event: ev.StepWaiting) -> None:
    state.visits[event.step_id].wait(event)


def _step_resumed(state: State, event: ev.StepResumed) -> None:
    state.visits[event.step_id].answer(event)


def _child_started(state: State, event: ev.StepChildStarted) -> None:
    visit = state.visits[event.step_id]
    visit.status = "child"
    visit.expires_at = event.expires_at
    state.children += 1


def _ended(state: State, event: ev.Event) -> None:
    state.end = event
    state.visits.clear()


# Events by class; each fold is given its own class of event.
_FOLDS: dict[type[ev.Event], Callable[[State, Any], None]] = {
    ev.ExecutionStarted: _execution_started,
    ev.StepScheduled: _step_scheduled,
    ev.StepStarted: _step_started,
    ev.StepAttemptFailed: _attempt_failed,
    ev.StepProgressed: _step_progressed,
    ev.StepCompleted: _step_completed,
    ev.StepFailed: _step_failed,
    ev.StepSkipped: _step_skipped,
    ev.StepCancelled: _step_cancelled,
    ev.StepWaiting: _step_waiting,
    ev.StepResumed: _step_resumed,
    ev.StepChildStarted: _child_started,
    ev.ExecutionCompensating: compensation.begin_undoing,
    ev.StepCompensationStarted: compensation.start_undoing,
    ev.StepCompensationFailed: compensation.fail_undoing,
    ev.StepCompensated: compensation.end_undoing,
    ev.ExecutionDeadlinePassed: pass_deadline,
    ev.ExecutionCompleted: _ended,
    ev.ExecutionFailed: _ended,
    ev.ExecutionCancelled: _ended,
}
