"""Parameters are held to the schema of the input, wherever they are given."""

from typing import Any

import pytest

from executor_service import Allowlist, InputRefused, compile_definition

ROWS = {"properties": {"rows": {"type": "integer", "minimum": 1}}}
SCHEMAS: dict[str, Any] = {
    "in itself": ROWS,
    "in a part for all": {"allOf": [True, ROWS]},
    "in one of several": {"anyOf": [ROWS, ROWS]},
    "in a branch": {"if": True, "then": ROWS},
    "behind a reference": {"$ref": "#/$defs/of~1rows", "$defs": {"of/rows": ROWS}},
}


def started(schema: Any, given: Any, **parameters: Any) -> Any:
    """Return the parameters that an execution begins with."""
    step = {"id": "a", "module": "tests.executor.example_steps", "step_class": "Echo"}
    definition = {
        "name": "p",
        "parameters": {"rows": 3},
        "input_schema": schema,
        "steps": [step],
        "flow": {"start_at": "a", "paths": []},
    }
    blueprint = compile_definition(definition, Allowlist(["tests.executor.*"]))
    return blueprint.started(given, parameters=parameters).parameters


@pytest.mark.parametrize("schema", SCHEMAS.values(), ids=SCHEMAS)
@pytest.mark.parametrize("rows", ["abc", 0, 1.5, None, [1], {}, True])
def test_a_parameter_that_breaks_the_schema_is_refused(schema: Any, rows: Any) -> None:
    with pytest.raises(InputRefused, match="A parameter breaks the pipeline's input_schema: "):
        started(schema, {}, rows=rows)


@pytest.mark.parametrize("schema", SCHEMAS.values(), ids=SCHEMAS)
def test_one_that_fits_lies_over_the_input(schema: Any) -> None:
    assert started(schema, {"rows": 4}, rows=5) == {"rows": 5}


def test_names_that_the_schema_does_not_have_are_the_definitions_own() -> None:
    closed = {**ROWS, "additionalProperties": False}

    assert started(closed, {"rows": 4}, city="Oslo") == {"rows": 4, "city": "Oslo"}
