"""The types of conditions, with the settings of each: read, refused and published from this table.

A condition's settings stand beside its `type` or inside `config`.
"""

from collections.abc import Iterator
from typing import Annotated, Any, Final

from pydantic import WithJsonSchema

from steplog_contracts.definition_parts import FREE_KEY, FREE_PREFIX
from steplog_contracts.payload import JsonObject

# What may stand in a condition of every type.
SHARED_KEYS: Final = ("type", "config", "description")
CONDITION_KEYS: Final[dict[str, tuple[str, ...]]] = {
    "always": (),
    "expression": ("source", "operator", "value"),
    "threshold_condition": ("field", "operator", "value", "threshold"),
    "field_equals": ("field", "value"),
    "field_exists": ("field", "value"),
    "field_greater_than": ("field", "value"),
    "field_less_than": ("field", "value"),
    "parameter": ("name", "operator", "value"),
    "all": ("conditions", "all"),
    "any": ("conditions", "any"),
    "not": ("condition", "not"),
    "function": ("module_path", "function_name", "parameters"),
    "custom": ("function", "parameters"),
}
# Of a path that begins at a condition step: which of its outcomes the path belongs to.
BRANCH_TYPES: Final[dict[str, bool]] = {"condition": True, "else": False}
# Settings that hold conditions themselves.
NESTING_KEYS: Final = ("conditions", "condition", "all", "any", "not")
# In a published schema; `linked` puts the reference to the condition's own schema in its place.
_PLACEHOLDER: Final = {"title": "Condition"}
Condition = Annotated[JsonObject, WithJsonSchema(_PLACEHOLDER)]


def implied_type(spec: JsonObject) -> str | None:
    """Return the type of a condition that names none, if its settings tell."""
    for key in ("all", "any", "not"):
        if key in spec:
            return key
    if not spec.keys() - {"description"}:
        return "always"
    return "expression" if "source" in spec else None


def conditions_in(spec: JsonObject, where: str) -> Iterator[tuple[JsonObject, str]]:
    """Go through a condition and those inside it, each with its JSON path."""
    waiting = [(spec, where)]
    while waiting:
        condition, place = waiting.pop()
        yield condition, place
        config = condition.get("config")
        for settings, inside in ((condition, place), (config, f"{place}.config")):
            if isinstance(settings, dict):
                waiting += _nested(settings, inside)


def _nested(settings: JsonObject, where: str) -> Iterator[tuple[JsonObject, str]]:
    for key in NESTING_KEYS:
        value = settings.get(key)
        if isinstance(value, dict):
            yield value, f"{where}.{key}"
        for index, item in enumerate(value) if isinstance(value, list) else ():
            if isinstance(item, dict):
                yield item, f"{where}.{key}[{index}]"


def linked(schema: Any) -> Any:
    """Return a schema whose conditions refer to `$defs/Condition`."""
    if schema == _PLACEHOLDER:
        return {"$ref": "#/$defs/Condition"}
    if isinstance(schema, dict):
        return {key: linked(part) for key, part in schema.items()}
    return [linked(part) for part in schema] if isinstance(schema, list) else schema


def condition_schema() -> JsonObject:
    """Return the JSON Schema of a condition of any type."""
    types = [*CONDITION_KEYS, *BRANCH_TYPES]
    known = sorted({key for keys in CONDITION_KEYS.values() for key in keys})
    settings: JsonObject = {key: _setting(key) for key in known}
    shared = {"type": {"enum": types}, "config": _closed(settings), "description": _TEXT}
    return {
        "title": "Condition",
        **_closed(settings | shared),
        "allOf": [_only(name, keys) for name, keys in CONDITION_KEYS.items()],
    }


def _closed(properties: JsonObject) -> JsonObject:
    return {
        "type": "object",
        "properties": properties | {FREE_KEY: {}},
        "patternProperties": {f"^{FREE_PREFIX}": {}},
        "additionalProperties": False,
    }


def _setting(key: str) -> JsonObject:
    one: JsonObject = {"$ref": "#/$defs/Condition"}
    if key in ("condition", "not"):
        return one
    if key in ("conditions", "all", "any"):
        return {"type": "array", "items": one, "minItems": 1}
    return {} if key in ("value", "threshold", "parameters") else _TEXT


def _only(name: str, keys: tuple[str, ...]) -> JsonObject:
    settings: JsonObject = dict.fromkeys(keys, True)
    allowed = settings | dict.fromkeys(SHARED_KEYS, True) | {"config": _closed(settings)}
    of_type = {"properties": {"type": {"const": name}}, "required": ["type"]}
    return {"if": of_type, "then": _closed(allowed)}


_TEXT: Final[JsonObject] = {"type": "string"}
