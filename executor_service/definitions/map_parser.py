"""Reading a map step: what it goes through, how many items at once, how many may fail."""

import re
from collections.abc import Callable, Collection
from typing import Final

from executor_service.engine.child_plan import ChildPlan
from executor_service.engine.map_items import ITEM_INDEX, MapPlan, Tolerance
from executor_service.engine.plan import StepPlan
from executor_service.engine.templates import compile_template
from steplog_contracts.definition_parts import ErrorHandling
from steplog_contracts.item_ids import split_item
from steplog_contracts.step_types import (
    STEP_MODELS,
    TASK,
    ItemStep,
    MapStep,
    StepDefinition,
    TaskStep,
)

_PERCENT: Final = re.compile(r"(\d{1,3}(?:\.\d{1,6})?)%")
_ALL_PERCENT: Final = 100.0
Report = Callable[[str, str, str], None]


class MapReader:
    """Reads the maps of one definition and reports what is wrong with them."""

    def __init__(self, step_ids: Collection[str], problem: Report) -> None:
        self._step_ids = step_ids
        self._problem = problem

    def step(self, step: MapStep, index: int, where: str, item: StepPlan) -> StepPlan:
        """Return a map's own plan; where it leads is its flow's business."""
        handling = step.error_handling
        return StepPlan(
            id=step.id,
            index=index,
            name=step.name or step.id,
            type=step.type,
            continue_on_error=handling is not None and handling.continue_on_error,
            mapped=self.plan(step, where),
            item=item,
        )

    def calling(self, step: MapStep, index: int) -> StepPlan:
        """Return the plan of items that have a pipeline run."""
        child = ChildPlan(step.pipeline, None)
        return StepPlan(step.id, index, step.name or step.id, "pipeline", child=child, always=())

    def plan(self, step: MapStep, where: str) -> MapPlan:
        """Return what a map does with its list."""
        self._check_name(step, where)
        self._check_item_step(step, f"{where}.step")
        self._check_own_handling(step.error_handling, where)
        if step.inputs is not None:
            self._problem(
                f"{where}.inputs",
                "A map runs no code, so 'inputs' means nothing here.",
                "it belongs in its step",
            )
        if isinstance(step.items, str):
            items = compile_template(step.items, self._step_ids, sources=True)
        else:
            items = compile_template(step.items, self._step_ids)
        if not isinstance(step.items, list) and items == step.items:
            self._problem(
                f"{where}.items",
                "The items of a map are a list, or a template of one.",
                'write "{{ <step>.<key> }}"',
            )
        return MapPlan(
            items=items,
            item_name=step.item_name,
            max_concurrency=step.max_concurrency,
            tolerance=self._tolerance(step.tolerated_failures, f"{where}.tolerated_failures"),
            batch_size=step.batch_size,
        )

    def _check_name(self, step: MapStep, where: str) -> None:
        name = step.item_name
        if name in self._step_ids:
            self._problem(
                f"{where}.item_name", f"'{name}' is a step's id.", "give items another name"
            )
        elif not name.isidentifier() or name in _TAKEN:
            self._problem(
                f"{where}.item_name",
                f"'{name[:100]}' can't be the name of an item.",
                "give a word such as 'file', and none of " + ", ".join(sorted(_TAKEN)),
            )

    def _check_item_step(self, step: MapStep, where: str) -> None:
        inner = step.step
        if (inner is None) == (step.pipeline is None):
            self._problem(
                where,
                "A map has either a 'step' or a 'pipeline' for its items.",
                "give one of them",
            )
        if inner is None:
            return
        if inner.catch or inner.join is not None:
            self._problem(where, "An item goes nowhere from here.", "give it to the map")
        if "id" in inner.model_fields_set:
            self._problem(
                f"{where}.id", "The step of a map's items has no id.", "its id is the map's"
            )
        if not may_be_visited(inner):
            self._problem(
                f"{where}.type",
                f"Items can't visit a step of type '{inner.type}'.",
                "give a task, or in place of 'step' a 'pipeline' that has such a step",
            )
            return
        handling = inner.error_handling
        if handling is not None and handling.continue_on_error:
            self._problem(
                f"{where}.error_handling.continue_on_error",
                "An item does not go on from its failure.",
                "say with tolerated_failures how many may fail",
            )

    def _check_own_handling(self, handling: ErrorHandling | None, where: str) -> None:
        given = set() if handling is None else handling.model_fields_set
        for key in sorted(given - {"continue_on_error", "description"}):
            self._problem(
                f"{where}.error_handling.{key}",
                f"A map runs no code, so '{key}' means nothing here.",
                "it belongs in the error_handling of its step",
            )

    def _tolerance(self, written: int | str, where: str) -> Tolerance:
        if isinstance(written, int) and not isinstance(written, bool) and written >= 0:
            return Tolerance(written)
        share = _PERCENT.fullmatch(written) if isinstance(written, str) else None
        if share is not None and float(share[1]) <= _ALL_PERCENT:
            return Tolerance(percent=float(share[1]))
        self._problem(
            where,
            f"{str(written)[:100]!r} is no number of failures.",
            'give a number such as 5, or a share such as "1%"',
        )
        return Tolerance()


def may_be_visited(inner: ItemStep) -> bool:
    """Say whether items can visit a step: one that is known and is no task they can't."""
    return inner.type in _ITEM_TYPES or inner.type not in STEP_MODELS


def item_step(step: MapStep) -> TaskStep | None:
    """Return the step that items visit, named as its map; None where a pipeline runs for them."""
    inner = step.step
    if inner is None:
        return None
    return inner.model_copy(update={"id": step.id, "name": inner.name or step.name})


def misleading_ids(steps: list[StepDefinition], problem: Report) -> None:
    """Report steps whose ids read like those of a map's items."""
    maps = {step.id for step in steps if isinstance(step, MapStep)}
    for index, step in enumerate(steps) if maps else ():
        item = split_item(step.id)
        if item is not None and item[0] in maps:
            problem(
                f"$.steps[{index}].id",
                f"'{step.id}' is the id of an item of the map '{item[0]}'.",
                "rename the step",
            )


_TAKEN: Final = frozenset(
    {ITEM_INDEX, "parameters", "pipeline_input", "pipeline_data", "steps", "step_results", "result"}
)
_ITEM_TYPES: Final = frozenset({TASK, "human"})
