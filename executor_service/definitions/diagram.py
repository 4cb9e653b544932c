"""A flow as people look at it: Mermaid for documents, a drawing of lines for a terminal."""

import json
import re

from executor_service.definitions.blueprint import Blueprint
from executor_service.engine.plan import WAIT, PathPlan, Plan, StepPlan
from steplog_contracts.definition import PipelineDefinition
from steplog_contracts.definition_parts import LANGUAGE_KEY, RECORDED
from steplog_contracts.flow_edges import edges_of, written_branch
from steplog_contracts.flow_outline import outline
from steplog_contracts.payload import JsonObject, JsonValue

_MAX_LABEL_CHARS = 60
_SIGNS = {
    "equals": "==", "not_equals": "!=", "greater_than": ">", "less_than": "<",
    "greater_than_or_equal": ">=", "less_than_or_equal": "<=",
}  # fmt: skip


def mermaid(blueprint: Blueprint) -> str:
    """Return the flow as a Mermaid flowchart."""
    plan, labels = blueprint.plan, _labels(blueprint)
    lines = ["flowchart TD", f"    start([start]) --> {_node(plan, plan.start_at)}"]
    for step in plan.ordered:
        name = _quoted(step.name + _marks(step))
        shape = f'{{"{name}"}}' if step.condition else f'["{name}"]'
        lines.append(f"    {_node(plan, step.id)}{shape}")
    for path in plan.paths:
        label = labels[path.index]
        arrow = f'-- "{_quoted(label)}" -->' if label else "-->"
        target = f"{_end_node(path.to_id)}([{_quoted(path.to_id)}])"
        if path.end is None:
            target = _node(plan, path.to_id)
        lines.append(f"    {_node(plan, path.from_id)} {arrow} {target}")
    return "\n".join(lines)


def terminal(blueprint: Blueprint) -> str:
    """Return the flow as an indented drawing; a step is opened where it is met first."""
    plan, labels = blueprint.plan, _labels(blueprint)
    lines = [_titled(plan, plan.start_at)]
    for path, arrow, again in outline(
        plan.start_at, lambda step_id: plan.steps[step_id].outgoing, _target
    ):
        name = path.to_id if path.end else _titled(plan, path.to_id)
        label = labels[path.index]
        shown = f"{arrow}{name}" + (" (see above)" if again else "")
        lines.append(shown + (f"   if {label}" if label else ""))
    return "\n".join(lines)


def _target(path: PathPlan) -> tuple[str, bool]:
    return path.to_id, path.end is None


def _titled(plan: Plan, step_id: str) -> str:
    step = plan.steps[step_id]
    title = step_id if step.name == step_id else f"{step_id} ({step.name})"
    return title + _marks(step)


def _marks(step: StepPlan) -> str:
    """Return what is to be known of a step beside its name: what it runs, whom it waits for."""
    marks = []
    if step.mapped is not None and step.item is not None:
        child = step.item.child
        runs = f", runs {child.pipeline}" if child is not None else ""
        marks.append(f"for each {step.mapped.item_name}{runs}")
    elif step.child is not None:
        name = step.child.pipeline or (step.child.definition or {}).get("name", "a pipeline")
        marks.append(f"runs {name}")
    elif step.type == WAIT:
        marks.append("waits")
    if step.join is not None:
        marks.append(f"begins with {step.join.needed} of its branches")
    return "".join(f" · {mark}" for mark in marks)


def _labels(blueprint: Blueprint) -> list[str]:
    """Return what must hold for each path to be taken, by the paths' indices."""
    context = {RECORDED: True, LANGUAGE_KEY: blueprint.language}
    shaped = PipelineDefinition.model_validate(blueprint.definition, context=context)
    return [
        edge_label(edge.condition, edge.branch, edge.catch.errors if edge.catch else None)
        for edge in edges_of(shaped)
    ]


def edge_label(condition: JsonValue, branch: bool | str | None, errors: list[str] | None) -> str:
    """Return what must hold for a path to be taken, or nothing where it always is."""
    text = condition_text(condition)
    if errors is not None:
        return "on any error" if "*" in errors else f"on {', '.join(errors)}"
    if branch is None:
        return text
    if isinstance(branch, str):
        return text or "otherwise"
    outcome = "yes" if branch else "no"
    own = text and written_branch(condition) is None
    return f"{outcome} and {text}" if own else outcome


def condition_text(condition: JsonValue) -> str:
    """Return a condition in a few words."""
    if not isinstance(condition, dict) or condition.get("type", "") == "always" or not condition:
        return ""
    config = condition.get("config")
    settings: JsonObject = {**condition, **config} if isinstance(config, dict) else condition
    subject = settings.get("source") or settings.get("field") or settings.get("name")
    if subject is not None:
        text = f"{subject} {_verb(settings)}"
    else:
        shown = {key: value for key, value in settings.items() if key != "config"}
        text = json.dumps(shown, ensure_ascii=False)
    return text if len(text) <= _MAX_LABEL_CHARS else f"{text[:_MAX_LABEL_CHARS]}..."


def _verb(settings: JsonObject) -> str:
    kind = str(settings.get("type", "")).removeprefix("field_")
    operator = settings.get("operator") or (kind if kind in ("exists", *_SIGNS) else "equals")
    if "value" not in settings:
        return str(operator)
    return f"{_SIGNS.get(operator, operator)} {json.dumps(settings['value'], ensure_ascii=False)}"


def _node(plan: Plan, step_id: str) -> str:
    return f"s{plan.steps[step_id].index}"


def _end_node(marker: str) -> str:
    return "end_" + re.sub(r"\W", "_", marker)


def _quoted(text: str) -> str:
    return text.replace('"', "#quot;").replace("\n", " ")
