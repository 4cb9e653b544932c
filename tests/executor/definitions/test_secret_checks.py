"""Secrets of a definition: texts that are no path are refused, and no message quotes a value."""

from typing import Any

import pytest

from executor_service import compile_definition
from executor_service.engine.operators import matches
from executor_service.errors import ConditionFailed
from tests.executor.definitions.test_definitions import ALLOWED, problems, written


@pytest.mark.parametrize(
    "text", ["$.password", "/password", "{{ password }}", ".password", "cards.0.number",
             "pipeline_input.password", "steps.a.output.x"],
)  # fmt: skip
def test_a_secret_that_is_no_path_is_refused_at_its_place(text: str) -> None:
    found = problems(written("a", secrets=["fine", text]))

    assert list(found) == ["$.secrets[1]"]
    assert repr(text) in found["$.secrets[1]"]


@pytest.mark.parametrize(
    "more",
    [
        {"parameters": {"Password": "x"}},
        {"parameters": [{"name": "Password", "default": "x"}]},
        {"input_schema": {"properties": {"Password": {"type": "string"}}}},
        {"outputs": [{"name": "Password", "source": "{result}"}]},
    ],
)
def test_a_secret_in_another_case_is_warned_of(more: dict[str, Any]) -> None:
    warnings = compile_definition(written("a", secrets=["password"], **more), ALLOWED).warnings

    assert [warning.json_path for warning in warnings] == ["$.secrets[0]"]
    assert "'Password'" in warnings[0].message


def test_a_secret_written_as_the_data_is_not_warned_of() -> None:
    definition = written(
        "a", secrets=["Password", "other"], parameters={"Password": "x", "password": "y"}
    )

    assert compile_definition(definition, ALLOWED).warnings == ()


SCHEMAS = [
    {"properties": {"password": {"minLength": 40}}},
    {"properties": {"password": {"enum": ["x"]}}},
    {"properties": {"password": {"type": "number"}}},
    {"properties": {"password": {"pattern": "^x"}}},
    {"required": ["other"], "anyOf": [{"properties": {"password": False}}]},
    {"maxProperties": 0},
    {"not": {}},
]


@pytest.mark.parametrize("schema", SCHEMAS, ids=str)
@pytest.mark.parametrize("where", ["pipeline", "step"])
def test_a_schemas_message_does_not_quote_a_secret(schema: dict[str, Any], where: str) -> None:
    definition = written("a", secrets=["password"])
    (definition if where == "pipeline" else definition["steps"][0])["input_schema"] = schema
    blueprint = compile_definition(definition, ALLOWED)
    check = blueprint.check_input or blueprint.plan.steps["a"].check_input
    assert check is not None

    message = check({"password": "canary-7f3a9c"})

    assert message is not None
    assert "canary" not in message


@pytest.mark.parametrize("pattern", ["canary-7f3a9c(", "canary-7f3a9c" + "(a+)+" * 3 + "$"])
def test_a_pattern_out_of_data_is_not_quoted(pattern: str) -> None:
    subject = "canary-7f3a9c" + "a" * 60_000 + "!"

    with pytest.raises(ConditionFailed) as failed:
        matches(subject, pattern)

    assert "canary" not in str(failed.value)
