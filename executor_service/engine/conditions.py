"""Conditions of paths and condition steps, compiled once into plain callables.

A condition's settings may stand beside its `type` or inside `config`. Everything that can be wrong
with one is reported with its place in the definition; none is ever quietly false.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from executor_service.engine.exception_facts import class_name, text_of
from executor_service.engine.operators import (
    NEEDS_NO_VALUE,
    OPERATORS,
    PATTERN_OPERATORS,
    matches,
    one_decision,
)
from executor_service.engine.pattern_check import PatternCheck
from executor_service.engine.plan import Condition
from executor_service.engine.references import (
    Reading,
    Reference,
    Root,
    parse_source,
    resolve,
    split,
)
from executor_service.engine.templates import (
    Template,
    compile_template,
    is_constant,
    render_optional,
)
from executor_service.engine.user_code import Raised, call
from executor_service.engine.values import ABSENT, Absent, copy_json
from executor_service.errors import ConditionFailed, TextTooLong
from steplog_contracts.payload import JsonObject, JsonValue

# Conditions inside conditions; deeper ones are nobody's handwriting.
MAX_CONDITION_DEPTH_LEVELS = 50

UserFunction = Callable[[Any, Any], Any]


@dataclass(frozen=True)
class RoutingContext:
    """What a condition function is given as `context`; copies, so it can change nothing."""

    pipeline_data: JsonObject
    step_results: Mapping[str, JsonValue]
    current_step_id: str
    execution_id: str
    result: JsonValue
    parameters: JsonObject
    pipeline_input: JsonValue


class ResultsByStep(Mapping[str, JsonValue]):
    """The results a branch can see, copied one by one as they are asked for."""

    def __init__(self, step_ids: Collection[str], reading: Reading) -> None:
        self._step_ids = step_ids
        self._reading = reading

    def __getitem__(self, step_id: str) -> JsonValue:
        found = self._reading.results.result_of(step_id)
        if found is ABSENT:
            raise KeyError(step_id)
        return copy_json(found)

    def __iter__(self) -> Iterator[str]:
        visible = self._reading.results
        return (name for name in self._step_ids if visible.result_of(name) is not ABSENT)

    def __len__(self) -> int:
        return sum(1 for _ in self)


@dataclass
class ConditionCompiler:
    """Compiles the conditions of one definition.

    `problem(json_path, message, hint)` takes what is wrong; `load` returns a user's function or
    reports a problem itself and returns None. `sources` collects what was referred to, for checks.
    """

    step_ids: Collection[str]
    problem: Callable[[str, str, str], None]
    load: Callable[[str, str, str], UserFunction | None]
    clock: Callable[[], float]  # Seconds; bounds the patterns of one decision together.
    sources: list[Reference] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._patterns = PatternCheck(self.problem)

    def compile(self, spec: JsonValue, where: str, depth: int = 0) -> Condition | None:
        """Return the condition, or None where it always holds or could not be compiled."""
        if depth > MAX_CONDITION_DEPTH_LEVELS:
            self.problem(where, "Conditions nest too deeply.", "flatten them with all or any")
            return None
        if not isinstance(spec, dict):
            self.problem(where, "A condition is an object.", 'such as {"type": "always"}')
            return None
        kind = spec.get("type", _implied_type(spec))
        return self._of_kind(kind, _settings(spec), where, depth)

    def _of_kind(
        self, kind: JsonValue, spec: JsonObject, where: str, depth: int
    ) -> Condition | None:
        match kind:
            case "always":
                return None
            case "all":
                return self._all(spec, where, depth)
            case "any":
                return self._any(spec, where, depth)
            case "not":
                return self._not(spec, where, depth)
            case "function":
                return self._call(spec.get("module_path"), spec.get("function_name"), spec, where)
            case "custom":
                return self._custom(spec, where)
            case str() if kind in _COMPARISONS:
                return self._comparison(kind, spec, where)
        known = ", ".join(sorted({*_COMPARISONS, *_COMBINING}))
        self.problem(f"{where}.type", f"Unknown condition type {kind!r}.", f"known: {known}")
        return None

    def _comparison(self, kind: str, spec: JsonObject, where: str) -> Condition | None:
        source_key, operator, fixed = _COMPARISONS[kind]
        if not fixed:
            operator = spec.get("operator", operator)
        if kind == "threshold_condition" and "threshold" in spec:
            spec = {"value": spec["threshold"], **spec}
        named = spec.get(source_key)
        if kind == "parameter" and isinstance(named, str):
            named = f"parameters.{named}"
        source = self._source(named, f"{where}.{source_key}")
        if not isinstance(operator, str) or operator not in OPERATORS:
            known = ", ".join(OPERATORS)
            self.problem(f"{where}.operator", f"Unknown operator {operator!r}.", f"known: {known}")
            return None
        if "value" not in spec and operator not in NEEDS_NO_VALUE:
            self.problem(where, f"The operator {operator!r} needs a value.", 'add "value"')
            return None
        value = compile_template(spec.get("value"), self.step_ids)
        if operator in PATTERN_OPERATORS and not self._patterns.check(spec["value"], value, where):
            return None
        if source is None:
            return None
        reference, compare = source, OPERATORS[operator]
        if operator in PATTERN_OPERATORS:
            compare = partial(matches, clock=self.clock)
        if is_constant(value):
            constant = spec.get("value")
            return lambda reading: compare(resolve(reference, reading), constant)
        return lambda reading: compare(resolve(reference, reading), _rendered(value, reading))

    def _source(self, text: JsonValue, where: str) -> Reference | None:
        if not isinstance(text, str) or not all(split(text)):
            self.problem(where, "A dotted path is missing here.", "such as result.score")
            return None
        reference = parse_source(text, self.step_ids)
        if reference.root is Root.STEP and reference.step_id not in self.step_ids:
            self.problem(where, f"There is no step '{reference.step_id}'.", "name a declared step")
            return None
        self.sources.append(reference)
        return reference

    def _all(self, spec: JsonObject, where: str, depth: int) -> Condition | None:
        parts = self._parts(spec, "all", where, depth)
        return None if not parts else _together(all, parts)

    def _any(self, spec: JsonObject, where: str, depth: int) -> Condition | None:
        parts = self._parts(spec, "any", where, depth)
        return None if not parts else _together(any, parts)

    def _not(self, spec: JsonObject, where: str, depth: int) -> Condition | None:
        key = "condition" if "condition" in spec else "not"
        part = self.compile(spec.get(key), f"{where}.{key}", depth + 1) or _holds
        return lambda reading: not part(reading)

    def _parts(self, spec: JsonObject, kind: str, where: str, depth: int) -> list[Condition]:
        key = "conditions" if "conditions" in spec else kind
        parts = spec.get(key)
        if not isinstance(parts, list) or not parts:
            self.problem(f"{where}.{key}", f"'{kind}' needs a list of conditions.", "")
            return []
        return [
            self.compile(part, f"{where}.{key}[{index}]", depth + 1) or _holds
            for index, part in enumerate(parts)
        ]

    def _custom(self, spec: JsonObject, where: str) -> Condition | None:
        path = spec.get("function")
        if not isinstance(path, str):
            self.problem(f"{where}.function", "A function is named here.", "as module.function")
            return None
        module, _, name = path.replace(":", ".").rpartition(".")
        return self._call(module, name, spec, where)

    def _call(
        self, module: JsonValue, name: JsonValue, spec: JsonObject, where: str
    ) -> Condition | None:
        if not (isinstance(module, str) and module and isinstance(name, str) and name):
            self.problem(where, "A function condition names its module and function.",
                         "give module_path and function_name")  # fmt: skip
            return None
        function = self.load(module, name, where)
        if function is None:
            return None
        parameters = compile_template(spec.get("parameters") or {}, self.step_ids)
        return _Call(function, f"{module}.{name}", parameters, self.step_ids)


def _together(combine: Callable[[Iterator[bool]], bool], parts: list[Condition]) -> Condition:
    def holds(reading: Reading) -> bool:
        with one_decision():
            return combine(part(reading) for part in parts)

    return holds


def _rendered(template: Template, reading: Reading) -> JsonValue | Absent:
    try:
        return render_optional(template, reading, "A condition")
    except TextTooLong as error:
        raise ConditionFailed(str(error)) from error


def _holds(_: Reading) -> bool:
    return True


@dataclass(frozen=True, slots=True)
class _Call:
    function: UserFunction
    name: str
    parameters: Any
    step_ids: Collection[str]

    def __call__(self, reading: Reading) -> bool:
        context, parameters = self._context(reading), self._parameters(reading)
        try:
            return bool(call(self._asked, context, parameters))
        except Raised as raised:
            error = raised.error
            raise ConditionFailed(
                f"The condition function {self.name} raised {class_name(type(error))}: "
                f"{text_of(error)}."
            ) from error

    def _asked(self, context: RoutingContext, parameters: JsonValue) -> bool:
        return bool(self.function(context, parameters))

    def _parameters(self, reading: Reading) -> JsonValue:
        found = _rendered(self.parameters, reading)
        return {} if found is ABSENT else copy_json(found)

    def _context(self, reading: Reading) -> RoutingContext:
        merged = {k: v for layer in reversed(reading.data) for k, v in layer.items()}
        return RoutingContext(
            pipeline_data=copy_json(merged),
            step_results=ResultsByStep(self.step_ids, reading),
            current_step_id=reading.step_id,
            execution_id=reading.execution_id,
            result=None if reading.result is ABSENT else copy_json(reading.result),
            parameters=copy_json(reading.parameters),
            pipeline_input=copy_json(reading.pipeline_input),
        )


def _implied_type(spec: JsonObject) -> str | None:
    for key in ("all", "any", "not"):
        if key in spec:
            return key
    if not spec:
        return "always"
    return "expression" if "source" in spec else None


def _settings(spec: JsonObject) -> JsonObject:
    config = spec.get("config")
    return {**spec, **config} if isinstance(config, dict) else spec


# Key that names what is compared, operator, and whether the condition may name another one.
_COMPARISONS: dict[str, tuple[str, str, bool]] = {
    "expression": ("source", "equals", False),
    "threshold_condition": ("field", ">=", False),
    "field_equals": ("field", "equals", True),
    "field_exists": ("field", "exists", True),
    "field_greater_than": ("field", "greater_than", True),
    "field_less_than": ("field", "less_than", True),
    "parameter": ("name", "equals", False),
}
_COMBINING = ("always", "all", "any", "not", "function", "custom")
