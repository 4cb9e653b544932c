"""What a definition written for ia_modules would do differently here, and why.

    python -m executor_service.compat FILE

Facts about that library come from reading and running it; each difference names the place in the
definition, what happened there and what happens here.
"""

import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from executor_service.library.runner import read_definition_file
from steplog_contracts.errors import SteplogError
from steplog_contracts.payload import JsonObject, JsonValue

_THEIR_STEP_CAP: Final = 100
_EVALUATED_THERE: Final = frozenset({"always", "expression"})
_OPERATORS_THERE: Final = frozenset({"equals", "not_equals", "greater_than", "less_than"})


@dataclass(frozen=True, slots=True)
class Difference:
    """One place where the two behave differently."""

    json_path: str
    there: str
    here: str

    def __str__(self) -> str:
        return f"{self.json_path}: there, {self.there}; here, {self.here}."


def differences(definition: JsonObject) -> list[Difference]:
    """Return every difference, in the definition's order; it need not be valid."""
    steps = [step for step in _list(definition.get("steps")) if isinstance(step, dict)]
    flow = definition.get("flow")
    paths = _list(flow.get("paths")) if isinstance(flow, dict) else []
    paths = [path for path in paths if isinstance(path, dict)]
    return [
        *_of_the_whole(definition, steps),
        *(d for index, step in enumerate(steps) for d in _of_a_step(step, f"$.steps[{index}]")),
        *(d for i, path in enumerate(paths) for d in _of_a_path(path, f"$.flow.paths[{i}]")),
        *_of_forks_and_joins(paths),
    ]


def _of_the_whole(definition: JsonObject, steps: list[JsonObject]) -> Iterator[Difference]:
    yield Difference(
        "$",
        "each step's result was also listed in the data under the step's id, together with "
        "_execution_id and _pipeline_id",
        "results answer data[step_id] but are not part of the data or the output, and ids are in "
        "self.context",
    )
    if len(steps) > _THEIR_STEP_CAP:
        yield Difference(
            "$.steps", f"a run stopped after {_THEIR_STEP_CAP} steps", "there is no such cap"
        )
    if definition.get("parameters"):
        yield Difference(
            "$.parameters",
            "defaults were never used and required was never checked",
            "defaults apply under the run's input, and a missing required one refuses the run",
        )
    for key in ("input_schema", "output_schema", "outputs"):
        if definition.get(key):
            yield Difference(f"$.{key}", "it was read and not used", "it is honoured")
    if definition.get("loop_config"):
        yield Difference(
            "$.loop_config",
            "its counters were shared by all runs of one pipeline object",
            "each execution counts for itself",
        )


def _of_a_step(step: JsonObject, where: str) -> Iterator[Difference]:
    if str(step.get("module", "")).startswith("ia_modules"):
        yield Difference(
            f"{where}.module",
            "the module belongs to ia_modules",
            "change it to a module of your own whose import line names executor_service",
        )
    for key in ("inputs", "input_schema", "output_schema", "error_handling"):
        if step.get(key):
            yield Difference(
                f"{where}.{key}",
                "it was not used" + (" outside config" if key == "error_handling" else ""),
                "it is honoured",
            )
    handling = step.get("error_handling") or _dict(step.get("config")).get("error_handling")
    if _dict(handling).get("continue_on_error"):
        yield Difference(
            f"{where}.error_handling.continue_on_error",
            "the error's result held error_category, error_severity and original_data",
            'it is {"error": {type, message, step_id, attempt}}, not laid over the data, and the '
            "step is on record as failed",
        )
    if _holds_template(step.get("config")):
        yield Difference(
            f"{where}.config",
            "templates became text, and one that led nowhere stayed as it was written",
            "a whole template keeps its value's type, and one that leads nowhere fails the step",
        )


def _of_a_path(path: JsonObject, where: str) -> Iterator[Difference]:
    target = path.get("to", path.get("to_step"))
    if target == "end_with_failure":
        yield Difference(
            f"{where}.to", "end_with_failure ended the run as a success", "it fails the execution"
        )
    condition = _dict(path.get("condition"))
    kind = condition.get("type", "always")
    settings = {**condition, **_dict(condition.get("config"))}
    if kind == "agent":
        yield Difference(
            f"{where}.condition",
            "an agent condition was never taken by the runner",
            "it is refused; ask the agent in a step and test its result",
        )
    elif kind not in _EVALUATED_THERE:
        yield Difference(
            f"{where}.condition", f"a {kind} condition was never true", "it is evaluated"
        )
    elif kind == "expression":
        yield from _of_an_expression(settings, condition, where)


def _of_an_expression(
    settings: JsonObject, condition: JsonObject, where: str
) -> Iterator[Difference]:
    operator = settings.get("operator", "equals")
    if operator not in _OPERATORS_THERE:
        yield Difference(
            f"{where}.condition.operator",
            f"the operator {operator!r} was unknown and so never true",
            "it is evaluated, and one unknown here too is refused",
        )
    elif operator in ("greater_than", "less_than"):
        yield Difference(
            f"{where}.condition",
            "an absent value or one of another type raised TypeError",
            "such a comparison is false",
        )
    if "source" in condition and "config" not in condition:
        yield Difference(
            f"{where}.condition", "settings outside config were not read", "they are read"
        )


def _of_forks_and_joins(paths: list[JsonObject]) -> Iterator[Difference]:
    ends = [
        (path.get("from", path.get("from_step")), path.get("to", path.get("to_step")))
        for path in paths
    ]
    forks = [source for source, count in Counter(s for s, _ in ends).items() if count > 1]
    joins = [target for target, count in Counter(t for _, t in set(ends)).items() if count > 1]
    for fork in forks:
        yield Difference(
            f"$.flow.paths (from {fork!r})",
            "branches ran one after another, saw each other's writes, and lost their tails",
            "they run at the same time, each from the data at the fork",
        )
    for join in joins:
        if not str(join).startswith("end"):
            yield Difference(
                f"$.flow.paths (to {join!r})",
                "the step ran once for each branch that led to it",
                "it runs once, with what all of them wrote",
            )


def _holds_template(value: JsonValue) -> bool:
    if isinstance(value, str):
        return "{{" in value
    if isinstance(value, dict):
        return any(map(_holds_template, value.values()))
    return isinstance(value, list) and any(map(_holds_template, value))


def _list(value: JsonValue) -> list[Any]:
    return value if isinstance(value, list) else []


def _dict(value: JsonValue) -> JsonObject:
    return value if isinstance(value, dict) else {}


def main(arguments: list[str]) -> int:
    """Print the differences of the definition in a file; 0 done, 1 unreadable, 64 misused."""
    if len(arguments) != 1:
        sys.stderr.write("Usage: python -m executor_service.compat FILE\n")
        return 64
    try:
        definition = read_definition_file(arguments[0])
    except SteplogError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    for difference in differences(definition):
        sys.stdout.write(f"{difference}\n")
    return 0
