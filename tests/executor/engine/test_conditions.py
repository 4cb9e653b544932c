"""Rules 14 to 17: where the flow goes."""

from typing import Any

import pytest

from executor_service import DefinitionRefused, RunFailed
from tests.executor.flows import asks, blueprint_of, order, passes, paths, result_of

GIVEN = {"n": 5, "s": "abc", "rows": [{"x": 1}, {"x": 2}], "flag": True, "nothing": None}


async def taken(condition: Any, given: Any = None, **more: Any) -> bool:
    """Say whether a path with this condition is taken after a step that returned its input."""
    result = await result_of(
        {"a": lambda d: {"n": d["n"], "own": 7}, "b": passes},
        paths("a > b", a__b=condition),
        given or GIVEN,
        **more,
    )
    return "b" in order(result)


@pytest.mark.parametrize(
    ("operator", "value", "holds"),
    [
        ("equals", 5, True), ("==", 5.0, True), ("==", "5", False), ("not_equals", 4, True),
        ("!=", 5, False), ("greater_than", 4, True), (">", 5, False), ("less_than", 6, True),
        ("<", 5, False), ("greater_than_or_equal", 5, True), (">=", 6, False),
        ("less_than_or_equal", 5, True), ("<=", 4, False), ("in", [4, 5], True),
        ("in", [True], False), ("not_in", [4], True), ("exists", None, True),
        ("not_exists", None, False), ("exists", False, False), ("not_in", [5], False),
        ("not_exists", False, True), ("contains", 5, False),
    ],
)  # fmt: skip
async def test_15_operators_on_numbers(operator: str, value: Any, holds: bool) -> None:
    assert await taken(asks("n", operator, value)) is holds


@pytest.mark.parametrize(
    ("operator", "value", "holds"),
    [
        ("contains", "b", True), ("contains", "x", False), ("starts_with", "ab", True),
        ("startswith", "bc", False), ("ends_with", "bc", True), ("endswith", "ab", False),
        ("matches", "a.c", True), ("regex", "b", False), ("regex", "ab", True), (">", "abb", True),
        ("in", "xabcx", True),
    ],
)  # fmt: skip
async def test_15_operators_on_text(operator: str, value: Any, holds: bool) -> None:
    assert await taken(asks("s", operator, value)) is holds


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ("rows.1.x", 2), ("rows[1].x", 2), ("result.own", 7), ("step_results.a.own", 7),
        ("pipeline_data.rows.0.x", 1), ("parameters.n", 5), ("pipeline_input.s", "abc"),
        ("a.own", 7), ("steps.a.output.own", 7), ("own", 7), ("nothing", None),
    ],
)  # fmt: skip
async def test_16_a_source_finds_its_value(source: str, value: Any) -> None:
    assert await taken(asks(source, "equals", value))


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        (asks("gone", "equals", None), False),
        (asks("gone", "not_equals", 1), True),
        (asks("gone", ">", 0), False),
        (asks("gone", "<=", 0), False),
        (asks("gone", "in", [None]), False),
        (asks("gone", "not_in", [1]), True),
        (asks("gone", "not_exists"), True),
        (asks("s", ">", 1), False),
        (asks("s", "<", 1), False),
        (asks("flag", ">", 0), False),
        (asks("flag", "equals", 1), False),
        (asks("rows.5.x", "exists"), False),
        (asks("n.deeper", "exists"), False),
        (asks("n", "matches", "5"), False),
        (asks("n", "==", "{{ gone }}"), False),
        (asks("n", "==", "{{ parameters.n }}"), True),
    ],
)
async def test_17_absent_and_incomparable_values_are_told_apart(
    condition: Any, holds: bool
) -> None:
    assert await taken(condition) is holds


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        ({"type": "always"}, True),
        ({}, True),
        ({"type": "expression", "config": {"source": "n", "operator": ">", "value": 4}}, True),
        ({"type": "threshold_condition", "field": "n", "operator": ">", "value": 9}, False),
        ({"type": "threshold_condition", "config": {"field": "n", "threshold": 5}}, True),
        ({"type": "field_equals", "field": "n", "value": 5}, True),
        ({"type": "field_exists", "field": "gone"}, False),
        ({"type": "field_greater_than", "field": "n", "value": 4}, True),
        ({"type": "field_less_than", "field": "n", "value": 4}, False),
        ({"type": "parameter", "name": "n", "operator": ">", "value": 1}, True),
        ({"type": "all", "conditions": [asks("n", ">", 1), asks("n", "<", 3)]}, False),
        ({"type": "any", "conditions": [asks("n", ">", 1), asks("n", "<", 3)]}, True),
        ({"type": "not", "condition": asks("n", ">", 1)}, False),
        ({"type": "not", "condition": {"type": "always"}}, False),
        ({"all": [{"any": [asks("n", "==", 1), asks("n", "==", 5)]}, {"not": asks("gone")}]}, True),
    ],
)
async def test_14_conditions_of_every_type(condition: Any, holds: bool) -> None:
    assert await taken(condition) is holds


def calls(name: str, **parameters: Any) -> dict[str, Any]:
    """Return a function condition."""
    return {
        "type": "function", "module_path": "tests.executor.condition_functions",
        "function_name": name, "parameters": parameters,
    }  # fmt: skip


@pytest.mark.parametrize(("limit", "holds"), [(4, True), (5, False), ("{{ parameters.n }}", False)])
async def test_14_a_function_of_an_allowed_module_decides(limit: Any, holds: bool) -> None:
    assert await taken(calls("is_large", limit=limit)) is holds


async def test_14_a_custom_condition_names_its_function_in_one_string() -> None:
    function = "tests.executor.condition_functions.is_large"

    assert await taken({"type": "custom", "function": function, "parameters": {"limit": 1}})


async def test_14_a_condition_function_can_change_nothing() -> None:
    result = await result_of(
        {"a": lambda d: {"n": 1}, "b": passes}, paths("a > b", a__b=calls("changes_everything"))
    )

    assert result["output"] == {"n": 1}


async def test_14_a_condition_function_that_raises_fails_the_step_with_its_reason() -> None:
    with pytest.raises(RunFailed, match=r"raises raised ValueError: no idea") as caught:
        await taken(calls("raises"))

    assert caught.value.error.type == "ConditionFailed"
    assert caught.value.error.step_id == "a"


async def test_14_a_condition_may_ask_for_the_result_of_an_earlier_step() -> None:
    result = await result_of(
        {"a": lambda d: [1], "b": lambda d: [2], "c": passes, "d": passes},
        paths("a > b", "b > c", "b > d", b__c=asks("step_results.a.0", "==", 1),
              b__d=asks("step_results.a.0", "==", 2)),
    )  # fmt: skip

    assert order(result) == ["a", "b", "c"]


@pytest.mark.parametrize(("n", "expected"), [(5, ["a", "check", "big"]), (1, ["a", "check", "b"])])
async def test_14_a_condition_step_takes_the_branch_of_its_condition(
    n: int, expected: list[str]
) -> None:
    result = await result_of(
        {"a": passes, "check": passes, "big": passes, "b": passes},
        paths("a > check", "check > big"),
        {"n": n},
        of={"check": {"type": "condition", "condition": asks("n", ">", 3), "else": "b"}},
    )

    assert order(result) == expected
    assert result["steps"][1]["result"] is (n == 5)


@pytest.mark.parametrize(
    ("condition", "told"),
    [
        ({"type": "agent", "model": "x"}, "Unknown condition type 'agent'"),
        ({"field": "n"}, "Unknown condition type None"),
        (asks("n", "roughly", 5), "Unknown operator 'roughly'"),
        ({"type": "expression", "source": "n", "operator": ">"}, "needs a value"),
        ({"type": "expression", "value": 1}, "dotted path is missing"),
        (asks("step_results.zzz.x"), "no step 'zzz'"),
        (asks("n", "regex", "(unclosed"), "not a pattern"),
        (asks("n", "regex", "x" * 2000), "at most 1000"),
        ({"type": "all", "conditions": []}, "needs a list"),
        ({"type": "function", "module_path": "os", "function_name": "getcwd"}, "allowlist"),
        (calls("nowhere"), "has no 'nowhere'"),
        (calls("waits"), "asynchronous"),
        (calls("system"), "not on the allowlist"),
        ("always", "must be a JSON object"),
    ],
)
def test_17_a_condition_without_meaning_is_refused_when_loaded(condition: Any, told: str) -> None:
    with pytest.raises(DefinitionRefused, match=told) as caught:
        blueprint_of({"a": passes, "b": passes}, paths("a > b", a__b=condition))

    assert caught.value.problems[0].json_path.startswith("$.flow.paths[0].condition")


async def test_17_a_regex_that_explodes_fails_the_step_and_nothing_else() -> None:
    given = {"n": 1, "s": "a" * 40 + "b"}

    with pytest.raises(RunFailed, match="took longer") as caught:
        await taken(asks("s", "regex", r"^(a|a|aa)+$"), given)

    assert caught.value.error.type == "ConditionFailed"


@pytest.mark.parametrize(("x", "went"), [(1, ["c", "a"]), (0, ["c", "b"])])
async def test_14_paths_of_a_condition_step_may_name_their_outcome(x: int, went: list[str]) -> None:
    result = await result_of(
        {"c": passes, "a": passes, "b": passes},
        paths("c > a", "c > b", c__a={"type": "condition"}, c__b={"type": "else"}),
        {"x": x},
        of={"c": {"type": "condition", "condition": asks("x", "==", 1)}},
    )

    assert order(result) == went
