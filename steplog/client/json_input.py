"""JSON that people give: definitions in files, values on the command line; read strictly."""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from steplog.errors import BadInput
from steplog_contracts.payload import json_problem

_BYTE_ORDER_MARK = "\ufeff"
_VALUE_REMEDY = """give a value such as '{"year": 2015}', or @FILE for one in a file"""


def pipeline_of(text: str) -> str | Mapping[str, Any]:
    """Return a name as it is, and of a file the definition inside."""
    path = Path(text)
    if path.suffix == ".json" or len(path.parts) > 1 or path.is_file():
        return definition_in(path)
    return text


def definition_in(path: Path) -> Mapping[str, Any]:
    """Return the definition in a file; raise `BadInput` where there is none."""
    remedy = "mend the file, or name one with a pipeline definition"
    definition = _json(_text(path), f"The file {path}", remedy)
    if not isinstance(definition, dict):
        raise BadInput(f"The file {path} holds no pipeline definition: it is no JSON object.")
    return definition


def value_of(text: str) -> Any:
    """Return the JSON value given as text, or as @FILE."""
    if text.startswith("@"):
        path = Path(text[1:])
        return _json(_text(path), f"The file {path}", "mend the file")
    return _json(text, "The value of --input", _VALUE_REMEDY)


def parameter_of(text: str) -> Any:
    """Return what is JSON as its value, and everything else as the text it is."""
    try:
        return _finite(text)
    except (ValueError, RecursionError):
        return text


def _text(path: Path) -> str:
    try:
        # A byte order mark, as some editors write it, says nothing and does no harm.
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise BadInput(f"The file {path} can't be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise BadInput(f"The file {path} is not UTF-8 text; save it as UTF-8.") from error


def _json(text: str, what: str, remedy: str) -> Any:
    try:
        value = _finite(text.removeprefix(_BYTE_ORDER_MARK))
    except RecursionError as error:
        raise BadInput(f"{what} nests too deeply; {remedy}.") from error
    except ValueError as error:
        raise BadInput(f"{what} is not JSON ({error}); {remedy}.") from error
    problem = json_problem(value)
    if problem is not None:
        raise BadInput(f"{what} can't be used: {problem}; {remedy}.")
    return value


def _finite(text: str) -> Any:
    return json.loads(text, parse_constant=_no_constant, parse_float=_float)


def _float(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text[:50]} is larger than any number")
    return number


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON value")
