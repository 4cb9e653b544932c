"""What can be wrong with a definition's `secrets`: a path that masks nothing is no mask."""

from collections.abc import Iterator
from typing import Any, Final

from executor_service.errors import Problem
from steplog_contracts.definition import PipelineDefinition
from steplog_contracts.secret_paths import Keys, NoPath, parse_path

# Where a definition names fields of its data.
_NAMING: Final = ("parameters", "inputs", "outputs", "input_schema", "output_schema", "config")


def check_secrets(shaped: PipelineDefinition) -> Iterator[Problem]:
    """Return an error for each text that is no path, a warning for one in another case."""
    keys: Keys | None = None
    for index, text in enumerate(shaped.secrets):
        where = f"$.secrets[{index}]"
        try:
            path = parse_path(text)
        except NoPath as error:
            yield Problem(where, str(error), error.hint)
            continue
        keys = Keys(_names(shaped)) if keys is None else keys
        other = keys.in_another_case(path)
        if other is not None:
            yield Problem(
                where,
                f"{text!r} is masked as it is written, and the definition has '{other}'.",
                "upper and lower case count",
                "warning",
            )


def _names(shaped: PipelineDefinition) -> frozenset[str]:
    """Return the keys and declared names of the parts that name fields."""
    found: set[str] = set()
    for part in (shaped, *shaped.steps):
        written = part.model_dump(include=set(_NAMING))
        for value in written.values():
            _collect(value, found)
    return frozenset(found)


def _collect(value: Any, found: set[str]) -> None:
    if isinstance(value, list):
        for item in value:
            _collect(item, found)
    elif isinstance(value, dict):
        if isinstance(value.get("name"), str):
            found.add(value["name"])
        for key, item in value.items():
            found.add(key)
            _collect(item, found)
