"""The shape of a definition: its parts by the models that publish it, with every misfit named."""

from typing import Final

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
from steplog_contracts.validation_message import plain_message

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
            return PipelineDefinition.model_validate(
                plain(definition), context=self._context, strict=self._strict
            )
        except ResultNotJson as error:
            problems.append(Problem("$", str(error)))
        except ValidationError as error:
            problems += _problems(error, "$")
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
            problems += _problems(error, f"{where}.config.error_handling")
            return ErrorHandling()


def _problems(error: ValidationError, where: str) -> list[Problem]:
    found: dict[Problem, None] = {}
    for detail in error.errors(include_url=False, include_input=False):
        found[Problem(where + json_path(detail["loc"])[1:], f"{plain_message(detail)}.")] = None
        if len(found) >= MAX_PROBLEMS:
            break
    return list(found)
