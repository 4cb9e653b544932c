"""What a definition may not say of maps and children, with the place in it."""

from typing import Any

import pytest

from executor_service.definitions.blueprint import compile_definition
from executor_service.definitions.catalogue import DefinitionCatalogue
from executor_service.definitions.step_loader import Allowlist
from executor_service.errors import DefinitionRefused

MODULES = Allowlist(["tests.executor.*"])
ITEM = {"module": "tests.executor.support.item_steps", "step_class": "Item"}


def with_step(**step: Any) -> dict[str, Any]:
    return {"name": "p", "steps": [{"id": "a", **step}], "flow": {"start_at": "a", "paths": []}}


def problem_with(**step: Any) -> str:
    with pytest.raises(DefinitionRefused) as refused:
        compile_definition(with_step(**step), MODULES)
    return str(refused.value)


def of_map(**keys: Any) -> dict[str, Any]:
    return {"type": "map", "items": [1], "step": ITEM, **keys}


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"items": "files"}, "$.steps[0].items: The items of a map are a list"),
        ({"items": 5}, "$.steps[0].items: The items of a map are a list"),
        ({"item_name": "a"}, "$.steps[0].item_name: 'a' is a step's id"),
        ({"item_name": "two words"}, "$.steps[0].item_name"),
        ({"item_name": "item_index"}, "$.steps[0].item_name"),
        ({"tolerated_failures": -1}, "$.steps[0].tolerated_failures: '-1' is no number"),
        ({"tolerated_failures": "101%"}, "$.steps[0].tolerated_failures: '101%'"),
        ({"tolerated_failures": "many"}, "$.steps[0].tolerated_failures: 'many'"),
        ({"max_concurrency": 0}, "$.steps[0].max_concurrency"),
        ({"max_concurrency": 10**9}, "$.steps[0].max_concurrency"),
        ({"max_concurrency": "20"}, "$.steps[0].max_concurrency"),
        ({"batch_size": 0}, "$.steps[0].batch_size"),
        ({"max_concurency": 2}, "did you mean 'max_concurrency'?"),
        ({"inputs": {"x": 1}}, "it belongs in its step"),
        ({"error_handling": {"retry": {}}}, "it belongs in the error_handling of its step"),
        ({"step": {**ITEM, "id": "x"}}, "$.steps[0].step.id"),
        ({"step": {**ITEM, "type": "map"}}, "$.steps[0].step.type"),
        ({"step": {"module": "os", "step_class": "x"}}, "$.steps[0].step.module"),
        ({"step": None}, "either a 'step' or a 'pipeline'"),
        ({"pipeline": "x"}, "either a 'step' or a 'pipeline'"),
    ],
    ids=str,
)
def test_a_map_that_has_no_meaning_is_refused(keys: dict[str, Any], said: str) -> None:
    assert said in problem_with(**of_map(**keys))


def test_a_step_with_the_id_of_an_item_is_refused() -> None:
    definition = with_step(**of_map())
    definition["steps"].append({"id": "a[0]", **ITEM})

    with pytest.raises(DefinitionRefused, match="the id of an item of the map 'a'"):
        compile_definition(definition, MODULES)


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({}, "has to name a pipeline or hold its definition"),
        ({"pipeline": "x", "definition": {}}, "one of the two"),
        ({"pipeline": "p"}, "has the pipeline run that it is a step of"),
        ({"pipeline": "x", "inputs": {}}, "A child has one 'input'"),
        ({"pipeline": "x", "on_parent_end": "kill"}, "$.steps[0].on_parent_end"),
        ({"pipeline": "x", "wait": "yes"}, "$.steps[0].wait"),
        ({"pipeline": "x", "error_handling": {"enable_fallback": True}}, "has no class"),
        ({"pipelin": "x"}, "did you mean 'pipeline'?"),
    ],
    ids=str,
)
def test_a_child_that_has_no_meaning_is_refused(keys: dict[str, Any], said: str) -> None:
    assert said in problem_with(type="pipeline", **keys)


def test_a_pipeline_that_is_not_there_is_refused_before_anything_runs(tmp_path: Any) -> None:
    (tmp_path / "known.json").write_text("{}")
    catalogue = DefinitionCatalogue(MODULES, tmp_path)

    with pytest.raises(DefinitionRefused, match=r"no pipeline 'other' for step 'a'.*known"):
        catalogue.inline(with_step(type="pipeline", pipeline="other"))
    assert catalogue.inline(with_step(type="pipeline", pipeline="known")).plan.has_children
