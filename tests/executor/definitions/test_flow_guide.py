"""The examples in the flow guide are in order and do what they say."""

import json
import re
from pathlib import Path
from typing import Any

from executor_service.definitions.unknown_keys import problems_of
from executor_service.engine.operators import OPERATORS
from steplog_contracts.definition import PipelineDefinition
from steplog_contracts.step_types import STEP_MODELS

GUIDE = Path("docs/flow.md").read_text()


def blocks(language: str) -> list[str]:
    """Return the guide's code blocks of one language."""
    return re.findall(rf"```{language}\n(.*?)```", GUIDE, re.DOTALL)


def test_its_definitions_have_the_right_shape() -> None:
    definition, *steps = blocks("json")

    assert PipelineDefinition.model_validate(json.loads(definition)).name == "loan_decision"
    for written in steps:
        is_step = written.startswith("{")
        step = json.loads(written if is_step else f'{{"id": "a", {written}}}')
        one = {"name": "p", "steps": [step], "flow": {"start_at": step["id"]}}
        assert problems_of(one) == [], written


def test_its_limits_have_the_right_shape() -> None:
    definition, (limits,) = json.loads(blocks("json")[0]), blocks("jsonc")

    assert PipelineDefinition.model_validate(definition | json.loads(f"{{{limits}}}")).deadline


def test_it_has_an_example_of_every_step_type() -> None:
    shown = {json.loads(written).get("type", "task") for written in blocks("json")[1:]
             if written.startswith("{")}  # fmt: skip

    assert STEP_MODELS.keys() - {"human", "condition"} <= shown


async def test_its_program_runs() -> None:
    program, shown = blocks("python")[0].rsplit('result["output"]  # ', 1)
    namespace: dict[str, Any] = {}
    indented = "\n".join(f"    {line}" for line in program.splitlines())
    exec(f"async def program():\n{indented}\n    return result", namespace)

    result = await namespace["program"]()

    assert result["output"] == json.loads(shown)


def test_it_names_every_operator() -> None:
    assert all(re.search(rf"[` ]{re.escape(name)}[` ]", GUIDE) for name in OPERATORS)
