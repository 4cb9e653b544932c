"""What a caller may give as a pipeline: a name, a definition, a file of one, one that is built."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from steplog.client.json_input import definition_in
from steplog.errors import BadInput
from steplog_contracts.payload import JsonObject

if TYPE_CHECKING:
    from executor_service import Pipeline


class BuiltPipeline(Protocol):
    """What `pipeline()` builds: it has a definition."""

    @property
    def definition(self) -> JsonObject:
        """The definition as JSON."""


PipelineSource: TypeAlias = "str | os.PathLike[str] | Mapping[str, Any] | Pipeline | BuiltPipeline"


def definition_or_name(source: PipelineSource) -> str | Mapping[str, Any]:
    """Return the definition that a source holds, or the name that the executor knows one by.

    Text is a name, unless it ends in `.json` or has a slash: then it is a file's path.

    Raises:
        BadInput: there is no such file, it holds no definition, or the source is of another kind.
    """
    if isinstance(source, Mapping):
        return source
    if isinstance(source, os.PathLike) or (isinstance(source, str) and _is_path(source)):
        return definition_in(Path(source))
    if isinstance(source, str):
        return source
    # A `Pipeline` has its blueprint's; what `pipeline()` builds has one of its own.
    definition = getattr(getattr(source, "blueprint", source), "definition", None)
    if isinstance(definition, Mapping):
        return definition
    raise BadInput(
        f"A {type(source).__name__} is no pipeline; give a definition, the path of its JSON file, "
        "a Pipeline, what pipeline() built, or the name that the executor knows it by."
    )


def _is_path(text: str) -> bool:
    # Nobody names a pipeline like the files that people mix up with its definition.
    return text.endswith((".json", ".py", ".yaml", ".yml")) or "/" in text
