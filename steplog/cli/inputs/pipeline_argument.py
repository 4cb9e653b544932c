"""FILE, MODULE:NAME or NAME: what a person may give as a pipeline on the command line.

Only here is code chosen by a text: the person's own, on her own machine. The client takes objects.
"""

import importlib
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from steplog.client.definition_source import definition_or_name
from steplog.client.json_input import definition_in, pipeline_of
from steplog.errors import BadInput

# A module by its dotted name, or a Python file; then the name of a pipeline in it.
_IN_MODULE: Final = re.compile(r"(?P<module>(?:.*\.py)|[A-Za-z_][\w.]*):(?P<name>[A-Za-z_]\w*)")
_HELP: Final = "A definition: its file, a module's, or a name known there."
PipelineArgument = Annotated[str, typer.Argument(metavar="FILE|MODULE:NAME|NAME", help=_HELP)]


def pipeline_argument(text: str) -> str | Mapping[str, Any]:
    """Return the definition that a text leads to, or the text: a name known to the executor.

    Raises:
        BadInput: there is no such file, module or pipeline, or the module can't be imported.
    """
    match = _IN_MODULE.fullmatch(text)
    return pipeline_of(text) if match is None else _built(match["module"], match["name"])


def definition_argument(text: str) -> Mapping[str, Any]:
    """Return the definition that the text of a file or MODULE:NAME leads to; raises as above."""
    found = pipeline_argument(text) if _IN_MODULE.fullmatch(text) else definition_in(Path(text))
    assert not isinstance(found, str), "a module's is no name"
    return found


def _built(module: str, name: str) -> Mapping[str, Any]:
    imported = _imported(module)
    try:
        definition = definition_or_name(getattr(imported, name, None))  # type: ignore[arg-type]
    except BadInput as error:
        here = _pipelines_in(imported)
        has = f"it has {', '.join(here)}" if here else "it has none; make one with pipeline()"
        raise BadInput(f"{name} in {module} is no pipeline ({has}).") from error
    if isinstance(definition, str):
        raise BadInput(f"{name} in {module} is a text, no pipeline; give the text itself.")
    return definition


def _imported(module: str) -> Any:
    from executor_service.engine.user_code import Raised, call  # noqa: PLC0415 - loads the engine

    folder = Path.cwd()
    if module.endswith(".py"):
        path = Path(module)
        if not path.is_file():
            raise BadInput(f"There is no file {module}; check the path.")
        folder, module = path.resolve().parent, path.stem
    sys.path.insert(0, str(folder))
    try:
        return call(importlib.import_module, module)
    except Raised as raised:
        error = raised.error
        if isinstance(error, ModuleNotFoundError) and error.name == module:
            raise BadInput(f"There is no module {module} in this folder or installed.") from error
        raise BadInput(
            f"Module {module} can't be imported: {type(error).__name__}: {error}"[:500]
        ) from error


def _pipelines_in(module: Any) -> list[str]:
    return sorted(
        name
        for name, value in vars(module).items()
        if not name.startswith("_") and isinstance(getattr(value, "definition", None), Mapping)
    )
