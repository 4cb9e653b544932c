"""The flow of an execution as a graph: what its definition declares, coloured by what happened.

Paths have the indices that events use. Whether a path was taken is told as far as the visits show
it: true, false, or None where a step has several ways in and the rows don't say which was used.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from steplog_contracts.definition import PipelineDefinition
from steplog_contracts.definition_parts import RECORDED
from steplog_contracts.flow_edges import FlowEdge, edges_of
from steplog_contracts.step_types import StepDefinition, TaskStep

NOT_REACHED: Final = "not_reached"

Visits = Mapping[str, Sequence[Mapping[str, Any]]]


def graph(definition: Mapping[str, Any] | None, visits: Iterable[Mapping[str, Any]]) -> Any:
    """Return nodes and edges with their states; without a definition the visited steps alone."""
    by_step: dict[str, list[Mapping[str, Any]]] = {}
    for visit in visits:
        by_step.setdefault(visit["step_id"], []).append(visit)
    if definition is None:
        shown = [_node(step_id, None, seen) for step_id, seen in by_step.items()]
        return {"start_at": None, "nodes": shown, "edges": []}
    shaped = PipelineDefinition.model_validate(definition, context={RECORDED: True})
    edges = edges_of(shaped)
    passed = {step_id for step_id in by_step if _has_passed(step_id, by_step)}
    ways_in = Counter(edge.to_step for edge in edges if edge.from_step in passed)
    steps = {step.id for step in shaped.steps}
    return {
        "start_at": shaped.flow.start_at,
        "nodes": [_node(step.id, step, by_step.get(step.id, ())) for step in shaped.steps],
        "edges": [
            {
                "index": edge.index,
                "from_step": edge.from_step,
                "to_step": edge.to_step,
                "ends": edge.to_step not in steps,
                "condition": edge.condition,
                "branch": edge.branch,
                "errors": edge.catch.errors if edge.catch else None,
                "taken": _taken(edge, ways_in[edge.to_step], by_step),
            }
            for edge in edges
        ],
    }


def _node(
    step_id: str, step: StepDefinition | None, seen: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    newest = seen[-1] if seen else None
    return {
        "step_id": step_id,
        "step_name": (step.name if step else None) or (newest["step_name"] if newest else step_id),
        "step_type": step.type if step else (newest["step_type"] if newest else "task"),
        "step_class": _class_of(step),
        "state": newest["status"] if newest else NOT_REACHED,
        "visits": len(seen),
        "attempt": newest["attempt"] if newest else 0,
        "started_at": newest["started_at"] if newest else None,
        "completed_at": newest["completed_at"] if newest else None,
        "error_message": newest["error_message"] if newest else None,
    }


def _class_of(step: StepDefinition | None) -> str | None:
    return step.step_class or step.class_ if isinstance(step, TaskStep) else None


def _taken(edge: FlowEdge, ways_in: int, visits: Visits) -> bool | None:
    if not _has_passed(edge.from_step, visits):
        return False
    if edge.catch is not None and not _ended(edge.from_step, "failed", visits):
        return False
    always = edge.condition is None and edge.branch is None and edge.catch is None
    if always and _ended(edge.from_step, "completed", visits):
        return True
    arrived = visits.get(edge.to_step, ())
    if all(visit["status"] == "skipped" for visit in arrived):
        # Nothing of it yet, or for certain nothing.
        return False if arrived or always else None
    return True if ways_in == 1 else None


def _has_passed(step_id: str, visits: Visits) -> bool:
    return _ended(step_id, "completed", visits) or _ended(step_id, "failed", visits)


def _ended(step_id: str, status: str, visits: Visits) -> bool:
    return any(visit["status"] == status for visit in visits.get(step_id, ()))
