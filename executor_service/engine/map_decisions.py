"""What follows for a map: its next items begun, its end."""

from collections.abc import Callable
from datetime import datetime

from executor_service.engine import decide
from executor_service.engine.child_input import recorded_input
from executor_service.engine.item_scope import reading_of_item
from executor_service.engine.map_items import Items, MapPlan, item_data
from executor_service.engine.plan import StepPlan
from executor_service.engine.scope import Scope
from executor_service.engine.state import State
from executor_service.engine.step_events import step_started
from executor_service.engine.templates import render_inputs
from executor_service.engine.visit_events import completed
from executor_service.errors import StepProblem
from steplog_contracts import events as ev
from steplog_contracts.payload import JsonValue


def item_starts(state: State, map_id: str, clock: Callable[[], datetime]) -> list[ev.Event]:
    """Return the beginnings of as many items as may be visited at once.

    `clock` is asked only where templates of the item's step do.
    """
    visit, items = state.visits[map_id], state.maps[map_id]
    plan, item_step = visit.step.mapped, visit.step.item
    assert plan is not None, "only a map is kept among the maps"
    assert item_step is not None, "a map has a step for its items"
    if items.too_many_failed(plan.tolerance):
        return []
    now = clock() if item_step.asks_time else None
    return [
        step_started(
            f"{map_id}[{index}]", visit.iteration, 1, item_step.name, item_step.type,
            _item_input(state, item_step, items, plan, index, visit.scope, now), index, now,
        )
        for index in items.next_ones(plan.max_concurrency - len(items.open))
    ]  # fmt: skip


def _item_input(
    state: State, step: StepPlan, items: Items, plan: MapPlan, index: int, scope: Scope,
    now: datetime | None,
) -> JsonValue:  # fmt: skip
    """Return an item's own input: not the whole data, or a history would grow with its square."""
    data = item_data(plan, items, index)
    if step.child is not None and step.child.has_input:
        return recorded_input(step.child, reading_of_item(state, data, scope, now), step.id)
    if not step.inputs:
        return data
    reading = reading_of_item(state, data, scope, now)
    try:
        return data | render_inputs(step.inputs, reading, f"Step '{step.id}'")
    except StepProblem:
        return data  # The attempt then fails with that as its reason.


def is_over(state: State, map_id: str) -> bool:
    """Say whether a map's end can be recorded.

    Once too many items failed no other one begins. A flow that goes on from the failure waits for
    those that run; an execution that fails with it stops them.
    """
    visit, items = state.visits[map_id], state.maps[map_id]
    if items.values is None:
        return True
    assert visit.step.mapped is not None, "only a map is kept among the maps"
    if items.too_many_failed(visit.step.mapped.tolerance):
        return not items.open or not visit.step.may_go_on
    return items.ended == len(items.values)


def map_end(state: State, map_id: str) -> list[ev.Event]:
    """Return the end of a map that is over: the list of results, or its failure."""
    visit, items = state.visits[map_id], state.maps[map_id]
    assert visit.step.mapped is not None, "only a map is kept among the maps"
    tolerance = visit.step.mapped.tolerance
    if items.values is None:
        return decide.gave_up(state, map_id, _error("MapItemsRefused", items.problem, map_id))
    if items.too_many_failed(tolerance):
        text = items.failure_text(tolerance)
        return decide.gave_up(state, map_id, _error("MapItemsFailed", text, map_id))
    output = items.output()
    problem = visit.step.check_output(output) if visit.step.check_output else None
    if problem is not None:
        text = f"The result of step '{map_id}' breaks its output_schema: {problem}"
        return decide.gave_up(state, map_id, _error("SchemaMismatch", text, map_id))
    return completed(state, visit, output)


def _error(kind: str, message: str | None, step_id: str) -> ev.ErrorInfo:
    text = message or "The record of its beginning holds no items."
    return ev.ErrorInfo(type=kind, message=text, step_id=step_id, attempt=1)
