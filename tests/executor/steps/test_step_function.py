"""Functions as steps: where their values come from, and what is said where one does not fit."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pytest

from executor_service.definitions.step_loader import Allowlist, NotLoadable, load_step_class
from executor_service.errors import InputMismatch
from executor_service.steps.step_function import FunctionStep, StepFunction, step

HERE = Allowlist([__name__])


@dataclass
class Point:
    """A point."""

    x: int


@step
def moved(point: Point, at: datetime | None = None, by: int = 1) -> Any:
    """Move a point."""
    return point.x + by, at


@step
def everything(data: Any, config: Any, context: Any, logger: Any, services: Any) -> Any:
    """Return what it was given."""
    return data, config, context.step_id, logger.name, services


@step
def unreadable(value: "NoSuchType") -> Any:  # type: ignore[name-defined]  # noqa: F821
    """Has an annotation that means nothing."""


def _run(function: StepFunction[..., Any], data: Any, config: Any = None) -> Any:
    return function.step_class("one", config or {}).run(data)


def test_a_function_is_loaded_by_its_name_and_still_called_like_any_other() -> None:
    loaded = load_step_class(__name__, "moved", HERE)

    assert issubclass(loaded, FunctionStep)
    assert loaded.__name__ == "moved"
    assert moved(Point(1), by=4) == (5, None)


def test_values_come_from_the_config_then_the_data_then_the_default() -> None:
    assert _run(moved, {"point": {"x": 1}}) == (2, None)
    assert _run(moved, {"point": {"x": 1}, "by": 2}) == (3, None)
    assert _run(moved, {"point": {"x": 1}, "by": 2}, {"by": 5}) == (6, None)


def test_values_are_made_what_the_annotations_say() -> None:
    assert _run(moved, {"point": {"x": 1}, "at": "2026-01-02T03:04:05Z"})[1].year == 2026


def test_some_names_are_given_what_the_step_has() -> None:
    data, config, step_id, logger, services = _run(everything, {"a": 1}, {"b": 2})

    assert (data, config, step_id, services) == ({"a": 1}, {"b": 2}, "one", None)
    assert logger == "steplog.step.one"


@pytest.mark.parametrize(
    ("data", "saying"),
    [
        ({}, r"needs 'point': .* \(the data is empty\)"),
        ({"pint": 1}, r"the data has pint"),
        ({"point": {"x": "far"}}, r"moved\(\) can't take its data: point.x: Input should be a val"),
        ({"point": 7}, "point: Input should be"),
    ],
)
def test_what_does_not_fit_is_named_without_its_value(data: Any, saying: str) -> None:
    with pytest.raises(InputMismatch, match=saying) as raised:
        _run(moved, data)
    assert "far" not in str(raised.value)


def test_an_annotation_without_meaning_refuses_the_definition() -> None:
    with pytest.raises(NotLoadable, match=r"parameters of 'unreadable' .* can't be read: NameErr"):
        load_step_class(__name__, "unreadable", HERE)


@pytest.mark.parametrize("wrong", [3, Point, print, lambda *values: values, lambda **k: k])
def test_only_functions_whose_parameters_have_names_are_steps(wrong: Callable[..., Any]) -> None:
    with pytest.raises(TypeError, match=r"@step is for functions|has no name to be taken"):
        step(wrong)


def test_a_function_of_a_module_that_is_not_allowed_is_not_loaded() -> None:
    with pytest.raises(NotLoadable, match="not on the allowlist"):
        load_step_class(__name__, "moved", Allowlist(["elsewhere"]))
