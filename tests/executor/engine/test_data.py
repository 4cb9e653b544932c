"""Rules 1 to 8: what steps are given, what becomes of what they return."""

import dataclasses
import json
from datetime import UTC, datetime
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from pydantic import BaseModel

from executor_service import InputRefused, RunFailed
from executor_service.engine.values import plain
from executor_service.errors import ResultNotJson
from tests.executor.flows import (
    BEGINNING,
    Recorded,
    blueprint_of,
    passes,
    paths,
    pipeline_of,
    result_of,
    results,
)


async def test_1_the_callers_input_is_never_changed_and_comes_back_as_given() -> None:
    given = {"rows": [1, 2]}

    result = await result_of({"a": lambda d: d["rows"].append(3) or {"n": 1}}, [], given)

    assert given == {"rows": [1, 2]}
    assert result["input"] is given
    assert result["output"] == {"rows": [1, 2], "n": 1}


async def test_2_a_step_changes_only_its_own_copy_of_the_data() -> None:
    seen: list[Any] = []

    await result_of(
        {"a": lambda d: d["rows"].clear() or {}, "b": lambda d: seen.append(d["rows"])},
        paths("a > b"),
        {"rows": [1]},
    )

    assert seen == [[1]]


async def test_2_a_dict_is_laid_over_the_data_and_readable_under_the_steps_id() -> None:
    seen: list[Any] = []

    result = await result_of(
        {"a": lambda d: {"x": 2}, "b": lambda d: seen.append((d["x"], d["a"], "a" in d))},
        paths("a > b"),
        {"x": 1, "y": 1},
    )

    assert seen == [(2, {"x": 2}, True)]
    assert result["output"] == {"x": 2, "y": 1}


@pytest.mark.parametrize("value", [7, "text", [1, 2], None, True, 1.5])
async def test_2_any_other_value_is_readable_under_the_steps_id_only(value: Any) -> None:
    seen: list[Any] = []

    result = await result_of(
        {"a": lambda d: value, "b": lambda d: seen.append((d["a"], d.get("a"), dict(d)))},
        paths("a > b"),
        {"x": 1},
    )

    assert seen == [(value, value, {"x": 1})]
    assert result["output"] == {"x": 1}


async def test_2_a_result_handed_out_is_a_copy_too() -> None:
    result = await result_of(
        {"a": lambda d: [1], "b": lambda d: d["a"].append(2), "c": lambda d: {"rows": d["a"]}},
        paths("a > b", "b > c"),
    )

    assert result["output"] == {"rows": [1]}


async def test_2_the_object_a_step_returned_may_change_later_without_effect() -> None:
    kept: dict[str, Any] = {"rows": [1]}

    def grow(data: Any) -> dict[str, Any]:
        kept["rows"].append(2)
        return {"seen": data["rows"]}

    result = await result_of({"a": lambda d: kept, "b": grow}, paths("a > b"))

    assert result["output"] == {"rows": [1], "seen": [1]}


async def test_3_steps_that_return_all_they_were_given_keep_history_linear() -> None:
    blueprint = blueprint_of(
        {f"s{i}": lambda d, s: {**d, s.name: 1} for i in range(20)},
        paths(*(f"s{i} > s{i + 1}" for i in range(19))),
    )
    recorded = Recorded(blueprint)

    await recorded.run({"payload": "x" * 1000})

    sizes = [len(event.model_dump_json()) for event in recorded.log.events[1:]]
    assert max(sizes) < 2000


async def test_3_what_was_passed_through_is_not_stored_again() -> None:
    recorded = Recorded(blueprint_of({"a": passes, "b": lambda d: {**d}}, paths("a > b")))

    outcome = await recorded.run({"rows": list(range(100))})

    scope = outcome.state.final_scope()
    assert scope.results["b"]["rows"] is scope.data["rows"]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("{parameters.x}", "given"),
        ("{pipeline_input}", {"x": "given", "deep": {"y": [5]}}),
        ("{pipeline_input.deep.y}", [5]),
        ("{steps.a.output}", {"total": 3}),
        ("{steps.a.output.total}", 3),
        ("{{ parameters.x }}", "given"),
        ("{{ pipeline_input.deep.y[0] }}", 5),
        ("{{ a.total }}", 3),
        ("{{ total }}", 3),
        ("{{ missing | a.total }}", 3),
        ("{steps.a.output.none}|{parameters.x}", "given"),
        ("total is {{ a.total }} of {{ pipeline_input.deep }}", 'total is 3 of {"y":[5]}'),
        ("no template", "no template"),
        (42, 42),
    ],
)
async def test_4_an_input_reads_its_source(source: Any, expected: Any) -> None:
    seen: list[Any] = []

    await result_of(
        {"a": lambda d: {"total": 3}, "b": lambda d: seen.append(d["value"])},
        paths("a > b"),
        {"x": "given", "deep": {"y": [5]}},
        of={"b": {"inputs": [{"name": "value", "source": source, "required": True}]}},
    )

    assert seen == [expected]


async def test_4_inputs_overlay_the_data_of_that_step_only() -> None:
    seen: list[Any] = []

    result = await result_of(
        {"a": lambda d: seen.append(d["x"]), "b": lambda d: seen.append(d["x"])},
        paths("a > b"),
        {"x": 1},
        of={"a": {"inputs": {"x": "{{ x }}{{ x }}"}}},
    )

    assert seen == ["11", 1]
    assert result["output"] == {"x": 1}


async def test_4_an_input_that_leads_nowhere_takes_its_default_or_is_left_out() -> None:
    seen: list[Any] = []
    inputs = [
        {"name": "x", "source": "{{ nothing }}", "default": 9},
        {"name": "y", "source": "{{ nothing }}"},
    ]

    await result_of({"a": lambda d: seen.append(dict(d))}, [], of={"a": {"inputs": inputs}})

    assert seen == [{"x": 9}]


async def test_4_a_required_source_that_leads_nowhere_fails_the_step() -> None:
    inputs = [{"name": "x", "source": "{parameters.nothing}", "required": True}]

    with pytest.raises(RunFailed, match=r"parameters\.nothing.*leads nowhere"):
        await result_of({"a": passes}, [], of={"a": {"inputs": inputs}})


async def test_4_templates_work_anywhere_in_config_and_keep_types() -> None:
    seen: list[Any] = []
    config = {"limit": "{{ parameters.n }}", "deep": [{"url": "x/{{ a.id }}"}]}

    await result_of(
        {"a": lambda d: {"id": 4}, "b": lambda d, step: seen.append(step.config)},
        paths("a > b"),
        {"n": 3},
        of={"b": {"config": config}},
    )

    assert seen == [{"limit": 3, "deep": [{"url": "x/4"}]}]


async def test_5_parameters_are_the_input_over_the_declared_defaults() -> None:
    seen: list[Any] = []

    await result_of(
        {"a": lambda d: seen.append(d["both"])},
        [],
        {"n": 2},
        parameters={"n": 1, "m": 5},
        of={"a": {"inputs": {"both": ["{{ parameters.n }}", "{{ parameters.m }}"]}}},
    )

    assert seen == [[2, 5]]


async def test_5_a_required_parameter_without_value_refuses_the_run() -> None:
    declared = [{"name": "city", "required": True}, {"name": "n", "default": 1}]

    with pytest.raises(InputRefused, match="city"):
        await result_of({"a": passes}, [], {}, parameters=declared)


async def test_6_a_bad_run_input_refuses_the_run_before_anything_starts() -> None:
    schema = {"type": "object", "required": ["rows"]}

    with pytest.raises(InputRefused, match="rows"):
        await result_of({"a": passes}, [], {}, input_schema=schema)


async def test_6_a_bad_step_result_fails_the_step() -> None:
    schema = {"properties": {"n": {"type": "integer"}}}

    with pytest.raises(RunFailed, match=r"output_schema.*\$\.n") as caught:
        await result_of({"a": lambda d: {"n": "x"}}, [], of={"a": {"output_schema": schema}})

    assert caught.value.error.type == "SchemaMismatch"


async def test_6_what_a_step_is_given_is_checked_too() -> None:
    with pytest.raises(RunFailed, match="input_schema"):
        await result_of({"a": passes}, [], {}, of={"a": {"input_schema": {"required": ["q"]}}})


async def test_6_a_bad_final_output_fails_the_run() -> None:
    with pytest.raises(RunFailed, match="output_schema"):
        await result_of({"a": passes}, [], {}, output_schema={"required": ["q"]})


class Colour(Enum):
    RED = "red"


class Point(BaseModel):
    x: int
    at: datetime


@dataclasses.dataclass
class Line:
    points: tuple[Point, ...]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), "2026-01-02T03:04:05+00:00"),
        (UUID(int=7), "00000000-0000-0000-0000-000000000007"),
        (Decimal("1.10"), "1.10"),
        (Colour.RED, "red"),
        ((1, 2), [1, 2]),
        (
            Line((Point(x=1, at=BEGINNING),)),
            {"points": [{"x": 1, "at": "2026-03-01T12:00:00+00:00"}]},
        ),
        ("nul\x00 ✓", "nul\x00 ✓"),
        (2**70, 2**70),
    ],
)
async def test_7_results_are_converted_to_json(value: Any, expected: Any) -> None:
    result = await result_of({"a": lambda d: {"value": value}}, [])

    assert result["output"] == {"value": expected}
    assert json.loads(json.dumps(result["output"])) == result["output"]


def nested(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return value


def itself() -> Any:
    value: list[Any] = []
    value.append(value)
    return value


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ({"deep": [{"bad": {1, 2}}]}, r"\$\.deep\[0\]\.bad.*builtins\.set"),
        ({"n": float("nan")}, r"\$\.n.*nan"),
        ({"n": float("-inf")}, r"\$\.n.*inf"),
        ({"n": Decimal("NaN")}, r"\$\.n.*NaN"),
        ({"d": {1: "x"}}, r"\$\.d.*key 1.*int"),
        ({"t": "\ud800"}, r"\$\.t.*surrogate"),
        ({"deep": nested(1000)}, "deeper than 100 levels"),
        ({"own": itself()}, "deeper than 100 levels"),
        ({"n": 10**5000}, r"\$\.n.*bits"),
        ({"b": b"bytes"}, r"\$\.b.*bytes"),
        ({"f": passes}, r"\$\.f.*function"),
    ],
)
async def test_7_a_result_that_is_not_json_fails_the_step_naming_the_place(
    value: Any, told: str
) -> None:
    with pytest.raises(RunFailed, match=told) as caught:
        await result_of({"a": lambda d: value}, [])

    assert caught.value.error.type == "ResultNotJson"
    assert caught.value.error.step_id == "a"


async def test_8_output_is_the_final_data() -> None:
    result = await result_of({"a": lambda d: {"y": 2}}, [], {"x": 1})

    assert result["output"] == {"x": 1, "y": 2}


async def test_8_declared_outputs_are_resolved_against_the_final_data() -> None:
    result = await result_of(
        {"a": lambda d: [3, 4], "b": lambda d: {"y": 2}, "never": passes},
        paths("a > b"),
        {"x": 1},
        outputs={"last": "{steps.a.output[1]}", "y": "{{ y }}", "gone": "{{ never.x }}"},
    )

    assert result["output"] == {"last": 4, "y": 2, "gone": None}


async def test_8_a_required_output_that_leads_nowhere_fails_the_run() -> None:
    outputs = [{"name": "total", "source": "{{ total }}", "required": True}]

    with pytest.raises(RunFailed, match="total"):
        await pipeline_of({"a": passes}, [], outputs=outputs).run({})


async def test_a_runs_steps_are_told_in_the_documented_shape() -> None:
    result = await result_of({"a": lambda d: {"x": 1}}, [], {})

    assert list(result) == ["input", "output", "steps"]
    assert result["steps"] == [
        {"step_name": "a", "step_index": 0, "result": {"x": 1}, "status": "completed"}
    ]
    assert results(result) == {"a": {"x": 1}}


@pytest.mark.parametrize(
    ("value", "remedy"),
    [
        ({1, 2}, "return a sorted list"),
        (b"x", "base64"),
        (Path("a"), r"return str\(path\)"),
        (object(), "return dicts, lists, text"),
    ],
)
def test_a_value_that_is_no_json_is_refused_with_what_to_return_instead(
    value: Any, remedy: str
) -> None:
    with pytest.raises(ResultNotJson, match=remedy):
        plain(value)
