"""Keys of a definition that mean nothing where they stand, at every level: they are refused.

Most are known keys misspelt, or in the wrong place; so each refusal says which may be meant.
"""

from collections.abc import Iterator
from difflib import get_close_matches
from typing import Final

from pydantic import BaseModel

from executor_service.definitions.map_parser import may_be_visited
from executor_service.definitions.shape import ShapeReader
from executor_service.errors import Problem
from steplog_contracts.conditions import (
    BRANCH_TYPES,
    CONDITION_KEYS,
    SHARED_KEYS,
    conditions_in,
    implied_type,
)
from steplog_contracts.definition import PipelineDefinition
from steplog_contracts.definition_parts import Part, is_free, keys_of, parts_in
from steplog_contracts.payload import JsonValue
from steplog_contracts.step_types import (
    STEP_MODELS,
    ItemStep,
    StepDefinition,
    TaskStep,
    is_step_type,
)

MAX_SHOWN_CHARS: Final = 100
_SIMILAR: Final = 0.6
# Nearer than a key of another place that is the same.
_NEARLY_THE_SAME: Final = 0.85


def problems_of(definition: JsonValue) -> list[Problem]:
    """Return what is wrong with the shape and the keys of a definition; imports nothing that it
    names, so that it can be asked before a definition is sent."""
    problems: list[Problem] = []
    try:
        shape = ShapeReader()
        shaped = shape.pipeline(definition, problems)
    except RecursionError:
        return [Problem("$", "It is nested too deeply.", "make it flatter")]
    if shaped is None:
        return problems
    for index, step in enumerate(shaped.steps):
        if isinstance(step, TaskStep):
            shape.handling_of(step, f"$.steps[{index}]", problems)
    return [*problems, *unknown_types(shaped), *unknown_keys(shaped)]


def unknown_types(shaped: PipelineDefinition) -> Iterator[Problem]:
    """Return a problem for each step whose type there is not."""
    known = [*STEP_MODELS]
    for step, where in parts_in(shaped, "$"):
        if isinstance(step, StepDefinition) and not is_step_type(step.type):
            yield Problem(
                f"{where}.type",
                f"There is no step type '{step.type[:MAX_SHOWN_CHARS]}'.",
                suggestion(step.type, known) or f"known: {', '.join(known)}",
            )


def unknown_keys(shaped: PipelineDefinition) -> Iterator[Problem]:
    """Return a problem for each key that means nothing where it stands."""
    for part, where in parts_in(shaped, "$"):
        yield from _of_part(part, where)
        yield from _in_conditions(part, where)
        if isinstance(part, TaskStep) and part.error_handling is None:
            handling = ShapeReader(is_recorded=True).handling_of(part, where, [])
            yield from _in_parts(handling, f"{where}.config.error_handling")


def suggestion(word: str, known: list[str], similar: float = _SIMILAR) -> str:
    """Return a hint naming the known word that is meant, if one is close."""
    close = get_close_matches(word[:MAX_SHOWN_CHARS], known, n=1, cutoff=similar)
    return f"did you mean '{close[0]}'?" if close else ""


def _in_parts(part: BaseModel, where: str) -> Iterator[Problem]:
    for inner, place in parts_in(part, where):
        yield from _of_part(inner, place)


def _of_part(part: BaseModel, where: str) -> Iterator[Problem]:
    if isinstance(part, ItemStep) and not may_be_visited(part):
        return  # Its type is what is wrong.
    for key in part.model_extra or {}:
        if not is_free(key):
            yield _unknown(key, part, where)


def _in_conditions(part: BaseModel, where: str) -> Iterator[Problem]:
    written = getattr(part, "condition", None)
    if not isinstance(written, dict):
        return
    for condition, place in conditions_in(written, f"{where}.condition"):
        kind = condition.get("type", implied_type(condition))
        if not isinstance(kind, str) or not (kind in CONDITION_KEYS or kind in BRANCH_TYPES):
            continue  # The type itself is refused.
        known = [*SHARED_KEYS, *CONDITION_KEYS.get(kind, ())]
        config = condition.get("config")
        settings = [(condition, place)]
        if isinstance(config, dict):
            settings.append((config, f"{place}.config"))
        for written_keys, here in settings:
            for key in written_keys:
                if key not in known and not is_free(key):
                    yield _problem(key, here, f"a condition of type '{kind}'", known)


def _unknown(key: str, part: BaseModel, where: str) -> Problem:
    if isinstance(part, StepDefinition):
        name = f"a step of type '{part.type[:MAX_SHOWN_CHARS]}'"
    else:
        name = part.CALLED if isinstance(part, Part) else "it"
    return _problem(key, where, name, keys_of(type(part)), _elsewhere(key))


def _problem(key: str, where: str, part: str, known: list[str], elsewhere: str = "") -> Problem:
    shown = key[:MAX_SHOWN_CHARS]
    near = suggestion(key, known, _NEARLY_THE_SAME)
    hint = near or elsewhere or suggestion(key, known) or f"known: {', '.join(known)}"
    return Problem(f"{where}.{shown}", f"There is no key '{shown}' in {part}.", hint)


def _elsewhere(key: str) -> str:
    """Return where a key does mean something, if anywhere."""
    places = [model.CALLED for model in _parts(Part) if key in keys_of(model)][:1]
    types = [name for name, model in STEP_MODELS.items() if key in keys_of(model)]
    if types:
        places.append(f"a step of type {', '.join(types)}")
    return "; ".join(f"it belongs in {place}" for place in places)


def _parts(above: type[Part]) -> Iterator[type[Part]]:
    """Go through the models of all parts but steps."""
    for model in above.__subclasses__():
        if not issubclass(model, StepDefinition):
            if model.CALLED != Part.CALLED:
                yield model
            yield from _parts(model)
