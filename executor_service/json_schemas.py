"""JSON Schema checks: a definition's, compiled once, and those of questions to people."""

from collections.abc import Callable
from functools import partial
from typing import Any, Final

import jsonschema_rs

from executor_service.engine.plan import SchemaCheck
from executor_service.engine.values import copy_json
from steplog_contracts import answer_form
from steplog_contracts.payload import JsonObject, JsonValue

# Of a schema and of a value, in what people are shown.
MAX_SHOWN_CHARS = 300

_NO_SCHEMA: Final = (
    jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError, ValueError, RecursionError,
)  # fmt: skip

# What stands for a value that may be secret.
MASK: Final = "the value"

Report = Callable[[str, str, str], None]


def compile_schema(
    schema: JsonObject | bool | None, where: str, problem: Report, *, quoting: bool = True
) -> SchemaCheck | None:
    """Return a check, or None where there is no schema or it is none (then reported).

    Not `quoting`: what it says of a value does not show it.
    """
    if schema is None or schema is True:
        return None
    try:
        validator = jsonschema_rs.validator_for(
            copy_json(schema), retriever=_nothing_remote, mask=None if quoting else MASK
        )
    except _NO_SCHEMA as error:
        first_line = str(error).partition("\n")[0]
        problem(where, f"This is no JSON Schema: {first_line}", "see https://json-schema.org")
        return None
    return _check(validator)


def _check(validator: Any) -> SchemaCheck:
    def check(value: JsonValue) -> str | None:
        if validator.is_valid(value):
            return None
        for error in validator.iter_errors(value):
            path = "".join(_step_of(part) for part in error.instance_path)
            return f"${path}: {_shortened(error.message)}."
        return "$: not valid."

    return check


def _nothing_remote(uri: str) -> JsonValue:
    # A definition may come over the network; it must not make this process fetch addresses.
    raise ValueError(f"{uri} is outside the definition; put the schema under $defs instead")


def form_problem(ui_schema: JsonValue) -> str | None:
    """Return why a `ui_schema` that means to be a form's JSON Schema is none."""
    schema = answer_form.answer_schema(ui_schema) if answer_form.is_form(ui_schema) else None
    if schema is None:
        return None
    try:
        jsonschema_rs.validator_for(schema, retriever=_nothing_remote)
    except _NO_SCHEMA as error:
        return _shortened(str(error).partition("\n")[0])
    return None


def answer_problems(ui_schema: JsonValue, answer: JsonValue) -> tuple[str, ...]:
    """Return why an answer does not fit the form it was asked for by, a field each."""
    try:
        return answer_form.answer_problems(ui_schema, answer, _FOR_ANSWERS)
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
)


def _shortened(message: str) -> str:
    return message if len(message) <= MAX_SHOWN_CHARS else f"{message[:MAX_SHOWN_CHARS]}..."
