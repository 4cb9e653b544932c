"""One step of a definition from what a program names it by: a function, a class, its keys."""

import inspect
from collections.abc import Mapping
from typing import Any, Final, Literal, TypeAlias, TypedDict

from executor_service.steps.step import Step
from executor_service.steps.step_function import StepFunction
from steplog.errors import BadInput
from steplog_contracts.definition_parts import Retry
from steplog_contracts.payload import JsonObject, JsonValue

StepCode: TypeAlias = "StepFunction[..., Any] | type[Step]"
_LOCAL: Final = "<locals>"


class PathKeys(TypedDict, total=False):
    """What may be said of the path to a step, and of the step whatever its type."""

    id: str  # The function's or class's name where absent.
    name: str  # For display.
    description: str
    when: JsonObject  # The condition of the path that leads to it.
    join: JsonObject  # {"when": "all" | "any" | number, "rest": "cancel" | "leave"}
    inputs: JsonObject | list[JsonObject]
    effects: Literal["none"]


class TaskKeys(PathKeys, total=False):
    """What may be said of a step that runs code."""

    config: Mapping[str, JsonValue]  # For a function: values of its parameters.
    retries: int  # Tries after the first.
    retry_delay_seconds: float
    timeout_seconds: float
    error_handling: JsonObject
    input_schema: Any
    output_schema: Any
    compensate: Any


def of_code(code: StepCode, keys: Mapping[str, Any]) -> JsonObject:
    """Return the keys of a step that runs a function or a class, without its id.

    Raises:
        BadInput: a definition could not name it, or the function has no such parameter.
    """
    if isinstance(code, StepFunction):
        names, given = {"module": code.__module__, "step_class": code.name}, code.keys
    elif isinstance(code, type) and callable(getattr(code, "run", None)):
        names, given = {"module": code.__module__, "step_class": code.__qualname__}, {}
    else:
        raise BadInput(
            f"{code!r:.60} is no step; give a function under @step or a class that derives "
            "from steplog.Step."
        )
    if _LOCAL in getattr(code, "__qualname__", "") or "." in names["step_class"]:
        raise BadInput(
            f"{names['step_class'].rpartition('.')[2]} is defined inside a function or a class. "
            "Definitions name steps by their module, so define it at the top of its module."
        )
    step: JsonObject = names | _plain({**given, **keys})
    if isinstance(code, StepFunction):
        _check_config(code, step.get("config") or {})
    return step


def _plain(keys: Mapping[str, Any]) -> JsonObject:
    """Return keys as the definition has them: short forms written out."""
    plain = {key: value for key, value in keys.items() if value is not None}
    handling = {**plain.pop("error_handling", {})}
    for key in ("timeout_seconds", "enable_fallback"):
        if key in plain:
            handling[key] = plain.pop(key)
    if "retries" in plain:
        handling["retry"] = {**handling.get("retry", {}), "max_attempts": plain.pop("retries") + 1}
    if "retry_delay_seconds" in plain:
        delay = plain.pop("retry_delay_seconds")
        longest = {"max_delay": delay} if delay > Retry().max_delay else {}
        handling["retry"] = {**handling.get("retry", {}), "initial_delay": delay, **longest}
    if handling:
        plain["error_handling"] = handling
    for key in ("input_schema", "output_schema"):
        if key in plain:
            plain[key] = schema_of(plain[key])
    return plain


def own_keys(keys: Mapping[str, Any]) -> dict[str, Any]:
    """Return the keys of the step itself, without those of the path to it."""
    return {key: value for key, value in keys.items() if key not in ("id", "when")}


def schema_of(given: Any) -> Any:
    """Return a JSON Schema: of a pydantic model the one it has, else what was given."""
    make = getattr(given, "model_json_schema", None)
    return make() if isinstance(given, type) and callable(make) else given


def _check_config(function: StepFunction[..., Any], config: Mapping[str, Any]) -> None:
    if "config" in inspect.signature(function.function).parameters:
        return
    unknown = config.keys() - set(function.parameters)
    if unknown:
        takes = ", ".join(function.parameters) or "no values"
        raise BadInput(f"{function.name}() has no parameter {min(unknown)!r}; it takes {takes}.")


def name_of(code: StepCode) -> str:
    """Return the id of a step where none is given: the name of its function or class."""
    return code.name if isinstance(code, StepFunction) else code.__name__
