"""JSON Schema checks: a definition's, compiled once, and those of questions to people.

A check runs in native code that nothing can interrupt, so what a schema may cost is known before it
is compiled, and what a value may cost before it is checked.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, Final

import jsonschema_rs

from executor_service.engine.plan import SchemaCheck
from executor_service.engine.values import copy_json
from steplog_contracts import answer_form
from steplog_contracts.form_cost import check_form_cost
from steplog_contracts.payload import JsonObject, JsonValue
from steplog_contracts.schema_cost import PatternRoom, SchemaCost, SchemaTooCostly, schema_cost

# Of a schema and of a value, in what people are shown.
MAX_SHOWN_CHARS = 300
# Visits of a value's parts in one check; some two seconds.
MAX_VISITS: Final = 50_000_000
# Up to here a value of any size the log takes is checked in time, and need not be counted.
_CHEAP_WAYS: Final = 100
_PATTERNS: Final = jsonschema_rs.FancyRegexOptions(backtrack_limit=10_000)

_NO_SCHEMA: Final = (
    jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError, ValueError, RecursionError,
)  # fmt: skip

# What stands for a value that may be secret.
MASK: Final = "the value"

Report = Callable[[str, str, str], None]


def compile_schema(
    schema: JsonObject | bool | None,
    where: str,
    problem: Report,
    *,
    quoting: bool = True,
    room: PatternRoom | None = None,
) -> SchemaCheck | None:
    """Return a check, or None where there is no schema or it is none (then reported).

    Not `quoting`: what it says of a value does not show it. `room` is for the patterns of several.
    """
    if schema is None or schema is True:
        return None
    try:
        cost = schema_cost(schema, room) if isinstance(schema, dict) else SchemaCost((1,))
        validator = jsonschema_rs.validator_for(
            copy_json(schema),
            retriever=_nothing_remote,
            mask=None if quoting else MASK,
            pattern_options=_PATTERNS,
        )
    except SchemaTooCostly as error:
        problem(where, f"This schema can't be checked in time: {error}.", "make it simpler")
        return None
    except BaseException as error:  # Its own kinds, and native code that panics.
        first_line = _shortened(str(error).partition("\n")[0])
        problem(where, f"This is no JSON Schema: {first_line}", "see https://json-schema.org")
        return None
    return _check(validator, cost)


def _check(validator: Any, cost: SchemaCost) -> SchemaCheck:
    def check(value: JsonValue) -> str | None:
        too_much = _too_much(value, cost)
        if too_much is not None:
            return too_much
        try:
            if not validator.is_valid(value):
                validator.validate(value)
        except jsonschema_rs.ValidationError as error:
            path = "".join(_step_of(part) for part in error.instance_path)
            return f"${path}: {_shortened(error.message)}."
        except BaseException as error:  # Native code that panics.
            return f"$: can't be checked: {_shortened(str(error))}."
        return None

    return check


def _too_much(value: JsonValue, cost: SchemaCost) -> str | None:
    """Return why a value is not checked at all, if so."""
    if cost.deepest_is_any and cost.ways[-1] <= _CHEAP_WAYS:
        return None
    depth, parts = _extent(value)
    ways = cost.of_depth(depth)
    if ways is None:
        return f"$: nests deeper than the {cost.deepest} levels this schema can be checked for."
    if ways * parts > MAX_VISITS:
        return f"$: {parts} values are more than this schema can be checked for."
    return None


def _extent(value: JsonValue) -> tuple[int, int]:
    """Return a value's depth in levels and the number of values in it."""
    depth, parts = 0, 1
    level: list[JsonValue] = [value]
    while level:
        inner: list[JsonValue] = []
        for part in level:
            if isinstance(part, dict):
                inner.extend(part.values())
            elif isinstance(part, list):
                inner.extend(part)
        parts += len(inner)
        depth += bool(inner)
        level = inner
    return depth, parts


def _nothing_remote(uri: str) -> JsonValue:
    # A definition may come over the network; it must not make this process fetch addresses.
    raise ValueError(f"{uri} is outside the definition; put the schema under $defs instead")


def form_problem(ui_schema: JsonValue) -> str | None:
    """Return why a `ui_schema` that means to be a form's JSON Schema is none."""
    schema = answer_form.answer_schema(ui_schema) if answer_form.is_form(ui_schema) else None
    if schema is None:
        return None
    try:
        _for_answers(schema)
    except _NO_SCHEMA as error:
        return _shortened(str(error).partition("\n")[0])
    return None


def answer_problems(ui_schema: JsonValue, answer: JsonValue) -> tuple[str, ...]:
    """Return why an answer does not fit the form it was asked for by, a field each."""
    try:
        return answer_form.answer_problems(ui_schema, answer, _for_answers)
    except _NO_SCHEMA:
        return ()  # Another language's form, or asked before forms were checked.


def _step_of(part: str | int) -> str:
    return f"[{part}]" if isinstance(part, int) else f".{part}"


# Answers may hold secrets, so what is wrong is said without them.
_FOR_ANSWERS: Final = partial(
    jsonschema_rs.validator_for,
    retriever=_nothing_remote,
    validate_formats=True,
    mask=MASK,
    pattern_options=_PATTERNS,
)


def _for_answers(form: JsonObject) -> Any:
    check_form_cost(form)
    return _FOR_ANSWERS(form)


def _shortened(message: str) -> str:
    return message if len(message) <= MAX_SHOWN_CHARS else f"{message[:MAX_SHOWN_CHARS]}..."
