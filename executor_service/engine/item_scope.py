"""What references read at a visit to an item of a map: the item, then the data of its branch."""

from datetime import datetime

from executor_service.engine.map_items import item_data
from executor_service.engine.references import Reading
from executor_service.engine.scope import Scope
from executor_service.engine.state import State
from executor_service.engine.visit import Visit
from steplog_contracts.item_ids import map_of
from steplog_contracts.payload import JsonObject


def reading_of(state: State, visit: Visit) -> Reading:
    """Return what references read at a visit of any kind."""
    index = visit.step.item_index
    if index is None:
        return state.reading(visit.scope, visit.evaluated_at)
    map_id = map_of(visit.step.id)
    mapped = state.plan.steps[map_id].mapped
    assert mapped is not None, "only a map has items"
    item = item_data(mapped, state.maps[map_id], index)
    return reading_of_item(state, item, visit.scope, visit.evaluated_at)


def reading_of_item(
    state: State, item: JsonObject, scope: Scope, now: datetime | None = None
) -> Reading:
    """Return what references read for one item at its map's branch."""
    return Reading((item, scope.data), state.parameters, state.input, scope,
                   execution_id=state.execution_id, now=now)  # fmt: skip
