"""Time and memory of patterns, texts and schemas are bounded before they are used."""

import time
from typing import Any

import pytest

from executor_service.definitions.blueprint import compile_definition
from executor_service.definitions.json_schemas import compile_schema
from executor_service.definitions.step_loader import Allowlist
from executor_service.engine.references import Reading
from executor_service.engine.scope import Scope
from executor_service.engine.templates import compile_template, render
from executor_service.errors import DefinitionRefused, TextTooLong
from steplog_contracts.definition_parts import MAX_SECONDS
from steplog_contracts.pattern_size import pattern_size
from tests.executor.support.partition_harness import Owning

STEP = {"id": "a", "module": "tests.executor.support.people_steps", "step_class": "Quick"}
ALLOWED = Allowlist(["tests.executor.support.people_steps"])
SLOW = "(a+a+)+b"


def flow_of(conditions: list[Any]) -> dict[str, Any]:
    path = {"from": "a", "to": "end", "condition": {"any": conditions}}
    return {"name": "n", "steps": [STEP], "flow": {"start_at": "a", "paths": [path]}}


async def test_the_patterns_of_one_decision_share_one_deadline() -> None:
    slow = [
        {"source": "pipeline_input.text", "operator": "matches", "value": f"{SLOW}{number}"}
        for number in range(150)
    ]
    owning = await Owning().begin()
    began = time.monotonic()

    await owning.run_definition("e", flow_of(slow), input={"text": "a" * 5_000})

    assert owning.kinds("e")[-1] == "ExecutionFailed"
    assert time.monotonic() - began < 5  # 150 deadlines are 37 seconds.


@pytest.mark.parametrize(
    ("pattern", "is_large"),
    [
        (r"^\d{4}-\d{2}-\d{2}$", False),
        (r"^[^@\s]+@[^@\s]+\.[a-z]{2,63}$", False),
        ("(?:a{1000}){1000}", True),
        ("(?:a{100}(?#x)){1000}", True),
        ("[[](?:a{1000}){1000}", True),
        (r"\{1000}" * 3, False),
        ("(?:" * 40 + "a" + "+)" * 40, True),
    ],
)
def test_the_size_of_a_pattern_is_known_before_it_compiles(pattern: str, is_large: bool) -> None:
    assert (pattern_size(pattern).nodes > 10_000) is is_large


def test_texts_are_counted_while_they_are_put_together() -> None:
    template = compile_template(["{{ pipeline_input.t }}!"] * 5_000, ())
    reading = Reading(({},), {}, {"t": "x" * 60_000}, Scope({}))

    with pytest.raises(TextTooLong, match="950000 characters"):
        render(template, reading, "Step 'a' config")


def test_values_handed_over_whole_are_not_counted() -> None:
    template = compile_template(["{{ pipeline_input.t }}"] * 50, ())
    reading = Reading(({},), {}, {"t": "x" * 60_000}, Scope({}))

    assert render(template, reading, "Step 'a' config") == ["x" * 60_000] * 50


@pytest.mark.parametrize(
    "change",
    [
        {"loop_config": {"max_loop_time_seconds": MAX_SECONDS + 1}},
        {"loop_config": {"iteration_delay_seconds": 1e18}},
        {"steps": [{**STEP, "error_handling": {"timeout_seconds": 1e12}}]},
        {"steps": [{**STEP, "config": {"error_handling": {"retry": {"max_delay": 1e300}}}}]},
    ],
)
def test_a_span_no_time_holds_is_refused_with_its_place(change: dict[str, Any]) -> None:
    definition = {"name": "n", "steps": [STEP], "flow": {"start_at": "a"}, **change}

    with pytest.raises(DefinitionRefused, match=r"\$\.(loop_config|steps).*less than or equal"):
        compile_definition(definition, ALLOWED)
    assert compile_definition(definition, ALLOWED, is_recorded=True).plan.start_at == "a"


def test_a_recorded_definition_of_an_unknown_step_type_is_still_run() -> None:
    definition = {"name": "n", "steps": [{**STEP, "type": "old"}], "flow": {"start_at": "a"}}

    with pytest.raises(DefinitionRefused, match="no step type"):
        compile_definition(definition, ALLOWED)
    assert compile_definition(definition, ALLOWED, is_recorded=True).plan.steps["a"].type == "old"


def checked(schema: Any, value: Any) -> str | None:
    found: list[str] = []
    check = compile_schema(schema, "$", lambda _, message, __: found.append(message))
    return found[0] if check is None else check(value)


def nested(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = {"a": value}
    return value


def test_a_schema_that_goes_round_is_checked_as_deep_as_time_allows() -> None:
    twice = {"properties": {"a": {"allOf": [{"$ref": "#"}, {"$ref": "#"}]}}}
    tree = {"properties": {"l": {"$ref": "#"}, "r": {"$ref": "#"}, "v": {"type": "number"}}}

    assert checked(twice, nested(8)) is None
    assert "nests deeper" in str(checked(twice, nested(60)))
    assert checked(tree, {"l": {"r": {"v": 1}}}) is None
    assert "$.l.r.v" in str(checked(tree, {"l": {"r": {"v": "x"}}}))


@pytest.mark.parametrize("reference", ["#/$defs/d{}", "#a{}", "#/%24defs/d{}", "urn:x:a{}"])
def test_ways_are_counted_however_a_reference_is_written(reference: str) -> None:
    defs = {
        f"d{n}": {
            "$id": f"urn:x:a{n}", "$anchor": f"a{n}",
            "anyOf": [{"$ref": reference.format(n + 1)}] * 2,
        }
        for n in range(40)
    }  # fmt: skip
    if not reference.startswith("urn"):
        defs = {name: {k: v for k, v in one.items() if k != "$id"} for name, one in defs.items()}
    last = {"$anchor": "a40", "$id": "urn:x:a40"}
    schema = {"$defs": {**defs, "d40": last}, "$ref": reference.format(0)}

    assert "ways down" in str(checked(schema, {}))
