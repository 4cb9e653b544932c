"""The shape of a definition: its parts by the models that publish it, with every misfit named."""

from collections.abc import Mapping
from typing import Any, Final

from pydantic import ValidationError

from executor_service.definitions.json_path import json_path
from executor_service.engine.values import plain
from executor_service.errors import Problem, ResultNotJson
from steplog_contracts.definition import PipelineDefinition
from steplog_contracts.definition_parts import (
    LANGUAGE,
    LANGUAGE_KEY,
    RECORDED,
    STRICT,
    ErrorHandling,
)
from steplog_contracts.payload import JsonValue
from steplog_contracts.step_types import TaskStep
from steplog_contracts.validation_message import plain_sentence

# Of one definition: enough to mend it, and no more than a record takes.
MAX_PROBLEMS: Final = 100


class ShapeReader:
    """Reads parts by the rules of one language; a recorded definition more leniently."""

    def __init__(self, language: int = LANGUAGE, *, is_recorded: bool = False) -> None:
        self.language = language
        self.is_recorded = is_recorded
        self._strict = not is_recorded
        self._context = {
            RECORDED: is_recorded, LANGUAGE_KEY: language, STRICT: self._strict
        }  # fmt: skip

    def pipeline(self, definition: JsonValue, problems: list[Problem]) -> PipelineDefinition | None:
        """Return the parts of a definition; None where its shape is broken, with the problems."""
        if self.language > LANGUAGE:
            problems.append(
                Problem(
                    "$",
                    f"Its execution began under language {self.language}, and this version knows "
                    f"languages up to {LANGUAGE}.",
                    "an executor of the version that began it goes on with it",
                )
            )
            return None
        try:
            written = plain(definition)
        except ResultNotJson as error:
            problems.append(Problem("$", str(error)))
            return None
        try:
            return PipelineDefinition.model_validate(
                written, context=self._context, strict=self._strict
            )
        except ValidationError as error:
            problems += _problems(error, "$", written)
        return None

    def handling_of(self, step: TaskStep, where: str, problems: list[Problem]) -> ErrorHandling:
        """Return a step's error handling, which may stand inside its `config` too; the defaults
        where that is broken."""
        if step.error_handling is not None:
            return step.error_handling
        given = step.config.get("error_handling") or {}
        try:
            return ErrorHandling.model_validate(given, context=self._context, strict=self._strict)
        except ValidationError as error:
            problems += _problems(error, f"{where}.config.error_handling", given)
            return ErrorHandling()


def _problems(error: ValidationError, where: str, written: JsonValue) -> list[Problem]:
    found: dict[Problem, None] = {}
    for detail in error.errors(include_url=False, include_input=False):
        place = where + json_path(_written_place(detail, written))[1:]
        found[Problem(place, plain_sentence(detail))] = None
        if len(found) >= MAX_PROBLEMS:
            break
    return list(found)


def _written_place(detail: Mapping[str, Any], written: JsonValue) -> tuple[str | int, ...]:
    """Return where a misfit stands in what was written, without the models it was tried as."""
    place: list[str | int] = []
    last = len(detail["loc"]) - 1
    for index, key in enumerate(detail["loc"]):
        is_there, inner = _inside(written, key)
        if is_there:
            written = inner
        elif detail["type"] != "missing" or index < last:
            continue
        place.append(key)
    return tuple(place)


def _inside(written: JsonValue, key: str | int) -> tuple[bool, JsonValue]:
    if isinstance(written, dict) and key in written:
        return True, written[key]
    if isinstance(written, list) and isinstance(key, int) and key < len(written):
        return True, written[key]
    return False, written
