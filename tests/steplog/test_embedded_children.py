"""Embedded mode runs maps and children as the services do."""

from pathlib import Path
from typing import Any

from steplog.embedded import Embedded
from tests.executor.support.item_steps import Item

MODULES = ["tests.executor.*"]
ITEM = {"module": "tests.executor.support.item_steps", "step_class": "Item"}


def calling(child: dict[str, Any], name: str) -> dict[str, Any]:
    """Return a pipeline whose one step has another one run."""
    return {
        "name": name,
        "steps": [{"id": "call", "type": "pipeline", "definition": child}],
        "flow": {"start_at": "call", "paths": []},
    }


def mapping() -> dict[str, Any]:
    """Return a pipeline of one map whose results are its output."""
    return {
        "name": "leaf",
        "steps": [{"id": "each", "type": "map", "items": "{{ pipeline_input.n }}", "step": ITEM}],
        "flow": {"start_at": "each", "paths": []},
        "outputs": {"found": "{{ each }}"},
    }


async def test_a_tree_three_deep_ends_with_what_its_leaf_found(tmp_path: Path) -> None:
    Item.reset()
    tree = calling(calling(mapping(), "middle"), "top")

    async with Embedded.open(tmp_path / "steplog.db", step_modules=MODULES) as steplog:
        submitted = await steplog.run(tree, {"n": [3, 4]})
        execution = await steplog.result(submitted)
        [step] = await steplog.steps(submitted.execution_id)

    assert execution.status == "completed"
    assert execution.output_data == {"n": [3, 4], "found": [3, 4]}
    assert step.child_execution_id is not None


async def test_the_rows_of_a_map_count_its_items(tmp_path: Path) -> None:
    Item.reset(4)

    async with Embedded.open(tmp_path / "steplog.db", step_modules=MODULES) as steplog:
        definition = mapping()
        definition["steps"][0]["tolerated_failures"] = 1
        submitted = await steplog.run(definition, {"n": [3, 4, 5]})
        await steplog.result(submitted)
        [step] = await steplog.steps(submitted.execution_id)

    assert (step.item_count, step.item_counts) == (3, {"completed": 2, "failed": 1})
