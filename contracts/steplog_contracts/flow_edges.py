"""The paths of a definition in the order of their indices, those that steps imply included.

Events name the paths that were taken by these indices, so the executor, which follows them, and the
tracker, which draws them, read them here alike: first the declared ones, then those of each step in
the order of the steps.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from steplog_contracts.conditions import BRANCH_TYPES
from steplog_contracts.definition import PipelineDefinition
from steplog_contracts.payload import JsonObject
from steplog_contracts.step_types import Catch, ConditionStep, StepDefinition, SwitchStep

# The name of an end marker, unless a step has it: this one, or any that begins so.
_END, _END_PREFIX = "end", "end_"
# Given its place in the list when it is added.
_NEW = -1


def is_end_marker(name: str) -> bool:
    """Say whether a path that leads to no step of this name ends its branch there."""
    return name == _END or name.startswith(_END_PREFIX)


@dataclass(frozen=True, slots=True)
class FlowEdge:
    """A path; `branch` is the outcome of its step that it belongs to, None where it has none."""

    index: int
    from_step: str
    to_step: str
    where: str  # The JSON path of what names its end.
    condition: JsonObject | None = None
    branch: bool | str | None = None
    catch: Catch | None = None  # Taken after these errors alone.


def edges_of(shaped: PipelineDefinition) -> list[FlowEdge]:
    """Return every path of the flow."""
    edges = [
        FlowEdge(
            index,
            path.from_step or path.from_ or "",
            path.to_step or path.to or "",
            f"$.flow.paths[{index}].to_step",
            path.condition,
        )
        for index, path in enumerate(shaped.flow.paths)
    ]
    declared: dict[str, list[FlowEdge]] = {}
    for edge in edges:
        declared.setdefault(edge.from_step, []).append(edge)
    for place, step in enumerate(shaped.steps):
        for edge in _of_step(step, declared.get(step.id, []), f"$.steps[{place}]"):
            if edge.index == _NEW:
                edges.append(replace(edge, index=len(edges)))
            else:
                edges[edge.index] = edge
    return edges


def asked(step: StepDefinition) -> JsonObject | None:
    """Return the condition of a condition step, which runs no code; None of any other."""
    if isinstance(step, ConditionStep) and step.type == "condition":
        return step.condition
    return None


def written_branch(condition: JsonObject | None) -> bool | None:
    """Return which outcome of its condition step a path names, where it names one."""
    kind = condition.get("type") if condition is not None else None
    return BRANCH_TYPES.get(kind) if isinstance(kind, str) else None


def _of_step(step: StepDefinition, declared: list[FlowEdge], where: str) -> Iterator[FlowEdge]:
    """Yield what a step changes about its declared paths, and the paths it adds."""
    if isinstance(step, ConditionStep) and asked(step) is not None:
        yield from _of_condition(step, declared, where)
    if isinstance(step, SwitchStep):
        yield from _of_switch(step, where)
    for index, catch in enumerate(step.catch):
        yield FlowEdge(_NEW, step.id, catch.to, f"{where}.catch[{index}].to", catch=catch)


def _of_condition(step: ConditionStep, declared: list[FlowEdge], where: str) -> Iterator[FlowEdge]:
    """Give a condition step's paths to its two outcomes.

    `then` and `else` name where to go. A declared path belongs to the outcome that names its end,
    and else to the condition's own; an end that no declared path leads to gets a path.
    """
    otherwise = _ends(step.else_)
    for edge in declared:
        written = written_branch(edge.condition)
        yield replace(edge, branch=edge.to_step not in otherwise if written is None else written)
    reached = {edge.to_step for edge in declared}
    for key, ends, branch in (("then", _ends(step.then), True), ("else", otherwise, False)):
        for to_step in ends:
            if to_step not in reached:
                yield FlowEdge(_NEW, step.id, to_step, f"{where}.{key}", branch=branch)


def _of_switch(step: SwitchStep, where: str) -> Iterator[FlowEdge]:
    """Yield one path for each place that a switch leads to; its result names the one taken."""
    places: dict[str, str] = {}
    conditions: dict[str, list[JsonObject]] = {}
    for index, case in enumerate(step.cases):
        places.setdefault(case.to, f"{where}.cases[{index}].to")
        conditions.setdefault(case.to, []).append(case.condition)
    places.setdefault(step.default, f"{where}.default")
    for to_step, place in places.items():
        asked_for = conditions.get(to_step, [])
        one = asked_for[0] if len(asked_for) == 1 else {"type": "any", "conditions": asked_for}
        condition = one if asked_for else None
        yield FlowEdge(_NEW, step.id, to_step, place, condition, branch=to_step)


def _ends(named: str | list[str] | None) -> list[str]:
    if named is None:
        return []
    return [named] if isinstance(named, str) else named
