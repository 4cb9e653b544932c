"""Functions and arithmetic in templates: what they come to, and what is refused."""

from typing import Any

import pytest

from executor_service import Allowlist, DefinitionRefused, RunFailed
from executor_service.definitions.blueprint import compile_definition
from executor_service.library.runner import create_pipeline_from_json


def setting(text: str) -> dict[str, Any]:
    """Return a definition that sets one value."""
    step = {"id": "a", "type": "set", "values": {"made": text}}
    return {"name": "p", "steps": [step], "flow": {"start_at": "a"}}


async def made(text: str, **given: Any) -> Any:
    pipeline = create_pipeline_from_json(setting(text), allowlist=Allowlist())
    return (await pipeline.run(given))["output"]["made"]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("{{ len(rows) }}", 3),
        ("{{ len(name) }}", 3),
        ("{{ default(gone, 5) }}", 5),
        ("{{ default(nothing, 'x') }}", "x"),
        ("{{ default(zero, 5) }}", 0),
        ("{{ default(gone.deep[0], len(rows)) }}", 3),
        ("{{ join(rows, ', ') }}", "1, 2, 3"),
        ("{{ join(rows, '|') }}", "1|2|3"),
        ('{{ join(pipeline_input.rows, ")") }}', "1)2)3"),
        ("{{ zero + 1 }}", 1),
        ("{{ rows[2] - rows[0] }}", 2),
        ("{{ 2 + 3 * 4 }}", 14),
        ("{{ (2 + 3) * 4 }}", 20),
        ("{{ 10 - 3 - 2 }}", 5),
        ("{{ 7 % 4 }}", 3),
        ("{{ 3 / 2 }}", 1.5),
        ("{{ -1 * 2.5 }}", -2.5),
        ("{{ gone + 1 | rows[1] }}", 2),
        ("there are {{ len(rows) }}", "there are 3"),
        ("{{ a-key }}", "hyphen"),
        ("{{ it's }}", "quote"),
    ],
)
async def test_an_expression_comes_to_its_value(text: str, value: Any) -> None:
    given = {"rows": [1, 2, 3], "name": "Ida", "nothing": None, "zero": 0, "a-key": "hyphen",
             "it's": "quote"}  # fmt: skip

    assert await made(text, **given) == value


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{{ len(n) }}", "not a value of type int"),
        ("{{ n + 'x' }}", "stands between numbers"),
        ("{{ yes + 1 }}", "not a value of type bool"),
        ("{{ n / 0 }}", "is no number"),
        ("{{ n % 0 }}", "is no number"),
        ("{{ big * big }}", "larger than 2 to the power of 53"),
        ("{{ join(n, ', ') }}", "takes a list and a text"),
        ("{{ join(deep, ', ') }}", "joins texts and numbers"),
        ("{{ gone + 1 }}", "leads nowhere"),
    ],
)
async def test_a_value_of_the_wrong_type_fails_the_step(text: str, message: str) -> None:
    with pytest.raises(RunFailed, match=message):
        await made(text, n=5, yes=True, big=2**52, deep=[[1]])


@pytest.mark.parametrize(
    "text",
    ["{{ size(x) }}", "{{ len() }}", "{{ len(a, b) }}", "{{ len(a }}", "{{ (a + b }}", "{{ a +  }}",
     "{{ a + * b }}", "{{ __import__('os') }}", "{{ join(a, ',' b) }}", "{{ " + "(" * 30 + "a }}",
     "{{ " + "a + " * 300 + "a }}"],
)  # fmt: skip
def test_what_can_t_be_read_is_refused_with_its_place(text: str) -> None:
    with pytest.raises(DefinitionRefused) as refused:
        compile_definition(setting(text), Allowlist())

    [problem] = refused.value.problems
    assert problem.json_path == "$.steps[0].values.made"
    assert "can't be read" in problem.message


async def test_now_is_a_time_of_the_run() -> None:
    assert (await made("{{ now() }}"))[:2] == "20"


def test_the_first_language_had_no_functions() -> None:
    old = {"name": "p", "flow": {"start_at": "a"}, "steps": [
        {"id": "a", "module": "tests.executor.example_steps", "step_class": "Echo",
         "config": {"x": "{{ size(x) }}"}}]}  # fmt: skip

    assert compile_definition(old, Allowlist(["tests.*"]), is_recorded=True, language=1).plan
