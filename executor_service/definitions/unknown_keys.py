"""Keys of a definition that mean nothing, at every level: most are known keys misspelt."""

from collections.abc import Iterator
from difflib import get_close_matches

from pydantic import BaseModel, ValidationError

from executor_service.errors import Problem
from steplog_contracts.definition import ErrorHandling, PipelineDefinition, Retry
from steplog_contracts.payload import JsonValue

# Keys people may add for themselves; the first is a field of the pipeline itself as well.
FREE_KEY = "metadata"
FREE_PREFIX = "x-"
# Of a condition, whatever its type; a condition of one type ignores the settings of another.
CONDITION_KEYS = (
    *("type", "config", "source", "operator", "value", "field", "threshold", "name", "all", "any"),
    *("not", "condition", "conditions", "module_path", "function_name", "function", "parameters"),
    "description",
)
MAX_SHOWN_CHARS = 100
_SIMILAR = 0.6


def warnings_of(definition: JsonValue) -> list[Problem]:
    """Return a warning for each unknown key of a definition not yet read, if its shape is right;
    imports nothing that it names."""
    try:
        return list(unknown_keys(PipelineDefinition.model_validate(definition)))
    except (ValidationError, RecursionError):
        return []  # What is wrong with it is said by who refuses it.


def unknown_keys(shaped: PipelineDefinition) -> Iterator[Problem]:
    """Return a warning for each key that means nothing where it stands."""
    yield from _of_part(shaped, "$")
    for index, step in enumerate(shaped.steps):
        where = f"$.steps[{index}]"
        yield from _of_condition(step.condition, f"{where}.condition")
        handling = step.config.get("error_handling")
        if step.error_handling is None and isinstance(handling, dict):
            yield from _of_object(handling, ErrorHandling, f"{where}.config.error_handling")
            retry = handling.get("retry")
            if isinstance(retry, dict):
                yield from _of_object(retry, Retry, f"{where}.config.error_handling.retry")
    for index, path in enumerate(shaped.flow.paths):
        yield from _of_condition(path.condition, f"$.flow.paths[{index}].condition")


def suggestion(word: str, known: list[str]) -> str:
    """Return a hint naming the known word that is meant, if one is close."""
    close = get_close_matches(word[:100], known, n=1, cutoff=_SIMILAR)
    return f"did you mean '{close[0]}'?" if close else ""


def _of_part(part: BaseModel, where: str) -> Iterator[Problem]:
    """Go through a part and all parts inside it."""
    for key in part.model_extra or {}:
        yield from _unknown(key, type(part), where)
    for name, field in type(part).model_fields.items():
        value, place = getattr(part, name), f"{where}.{field.alias or name}"
        if isinstance(value, BaseModel):
            yield from _of_part(value, place)
        elif isinstance(value, list):
            for index, item in enumerate(value):
                if isinstance(item, BaseModel):
                    yield from _of_part(item, f"{place}[{index}]")


def _of_object(
    written: dict[str, JsonValue], model: type[BaseModel], where: str
) -> Iterator[Problem]:
    known = {field.alias or name for name, field in model.model_fields.items()}
    for key in written:
        if key not in known:
            yield from _unknown(key, model, where)


def _of_condition(condition: JsonValue, where: str) -> Iterator[Problem]:
    if not isinstance(condition, dict):
        return
    waiting = [(condition, where)]
    while waiting:
        spec, place = waiting.pop()
        for key, value in spec.items():
            if key not in CONDITION_KEYS and not _is_free(key):
                yield _warning(key, sorted(CONDITION_KEYS), place)
            inner = value if isinstance(value, list) else [value]
            if key in ("all", "any", "not", "condition", "conditions", "config"):
                waiting += [(part, f"{place}.{key}") for part in inner if isinstance(part, dict)]


def _unknown(key: str, model: type[BaseModel], where: str) -> Iterator[Problem]:
    if not _is_free(key):
        known = [field.alias or name for name, field in model.model_fields.items()]
        yield _warning(key, known, where)


def _is_free(key: str) -> bool:
    return key == FREE_KEY or key.startswith(FREE_PREFIX)


def _warning(key: str, known: list[str], where: str) -> Problem:
    hint = suggestion(key, known) or f"known: {', '.join(known)}"
    message = f"'{key[:MAX_SHOWN_CHARS]}' means nothing here; it changes nothing."
    return Problem(f"{where}.{key}", message, hint, "warning", is_unknown_key=True)
