"""Files and values that people give on the command line."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from steplog.errors import BadInput


def pipeline_of(text: str) -> str | Mapping[str, Any]:
    """Return a name as it is, and of a file the definition inside."""
    path = Path(text)
    if path.suffix == ".json" or len(path.parts) > 1 or path.is_file():
        return definition_in(path)
    return text


def definition_in(path: Path) -> Mapping[str, Any]:
    """Return the definition in a file; raise `BadInput` where there is none."""
    definition = _json(_text(path), f"The file {path}")
    if not isinstance(definition, dict):
        raise BadInput(f"The file {path} holds no pipeline definition: it is no JSON object.")
    return definition


def value_of(text: str) -> Any:
    """Return the JSON value given as text, or as @FILE."""
    if text.startswith("@"):
        path = Path(text[1:])
        return _json(_text(path), f"The file {path}")
    return _json(text, "The value of --input")


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise BadInput(f"The file {path} can't be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise BadInput(f"The file {path} is not UTF-8 text; save it as UTF-8.") from error


def _json(text: str, what: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise BadInput(
            f"{what} is not JSON ({error}); give a value such as "
            """'{"year": 2015}', or @FILE for one in a file."""
        ) from error
