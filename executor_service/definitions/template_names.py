"""What templates of one definition may name, and those that can't be read, with their places."""

from collections.abc import Iterator

from executor_service.engine.expressions import FUNCTIONS
from executor_service.engine.template_ids import TemplateNames
from executor_service.errors import Problem
from steplog_contracts.definition import PipelineDefinition
from steplog_contracts.payload import JsonValue


def refused_templates(names: TemplateNames, shaped: PipelineDefinition) -> Iterator[Problem]:
    """Return a problem for each template that is no expression."""
    definition = shaped.model_dump(by_alias=True) if names.refused else None
    for text, message in names.refused.items():
        where = next(_places(definition, text, "$"), "$")
        yield Problem(
            where, f"{text} can't be read: {message}", f"functions: {', '.join(FUNCTIONS)}"
        )


def _places(value: JsonValue, text: str, where: str) -> Iterator[str]:
    if isinstance(value, str) and text in value:
        yield where
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _places(item, text, f"{where}.{key}")
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _places(item, text, f"{where}[{index}]")
