"""What a map goes through: its items, resolved once, when its visit begins."""

from datetime import datetime

from executor_service.engine.map_items import ITEMS, MAX_ITEMS, PROBLEM, MapPlan
from executor_service.engine.plan import StepPlan
from executor_service.engine.scope import Scope
from executor_service.engine.state import State
from executor_service.engine.templates import render
from executor_service.errors import StepProblem
from steplog_contracts.payload import JsonObject, JsonValue


def map_input(
    state: State, step: StepPlan, scope: Scope, now: datetime | None = None
) -> JsonObject:
    """Return what a map records as its input: its items, or the problem with them."""
    plan = step.mapped
    assert plan is not None, "only a map has items"
    try:
        found = render(plan.items, state.reading(scope, now), f"Step '{step.id}' items")
    except StepProblem as problem:
        return {ITEMS: None, PROBLEM: str(problem)}
    if type(found) is not list:
        kind = "null" if found is None else _JSON_NAMES.get(type(found), type(found).__name__)
        return {ITEMS: None, PROBLEM: f"The items of map '{step.id}' are {kind}; give a list."}
    return _within_bounds(step.id, plan, found)


def _within_bounds(step_id: str, plan: MapPlan, items: list[JsonValue]) -> JsonObject:
    size = plan.batch_size or 1
    if len(items) > MAX_ITEMS * size:
        text = (
            f"Map '{step_id}' has {len(items)} items; {MAX_ITEMS} visits at most are made. Give "
            "fewer, or larger batches with batch_size."
        )
        return {ITEMS: None, PROBLEM: text}
    return {ITEMS: plan.grouped(items)}


_JSON_NAMES = {dict: "an object", str: "a text", bool: "true or false", int: "a number",
               float: "a number"}  # fmt: skip
