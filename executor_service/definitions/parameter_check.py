"""Parameters given beside a run's input, held to the schema that the input is held to."""

from collections.abc import Iterator, Mapping
from typing import Final

from executor_service.engine.plan import SchemaCheck
from steplog_contracts.payload import JsonObject, JsonValue

# Parts of a schema that speak of the same object as the schema itself.
_LISTS_IN_PLACE: Final = ("allOf", "anyOf", "oneOf")
_PARTS_IN_PLACE: Final = ("if", "then", "else")
# Of parts looked at; a schema with more of them in place is one that nobody wrote.
MAX_PARTS: Final = 1_000


def parameter_problem(
    check: SchemaCheck | None,
    schema: JsonValue,
    given: JsonObject,
    explicit: Mapping[str, JsonValue],
) -> str | None:
    """Return what is wrong with parameters that an input schema has a rule for, None if nothing.

    A parameter counts as if it stood in the input, over what stands there; `given` fits by itself.
    Names of which the schema says nothing are the definition's own.
    """
    if check is None or not explicit:
        return None
    ruled = _property_names(schema)
    held = {name: value for name, value in explicit.items() if name in ruled}
    return check({**given, **held}) if held else None


def _property_names(schema: JsonValue) -> frozenset[str]:
    names: set[str] = set()
    for part in _in_place(schema):
        properties = part.get("properties")
        if isinstance(properties, dict):
            names.update(properties)
    return frozenset(names)


def _in_place(root: JsonValue) -> Iterator[JsonObject]:
    """Yield a schema and the parts of it that hold for the same object."""
    left, seen = [root], set[int]()
    while left and len(seen) < MAX_PARTS:
        part = left.pop()
        if not isinstance(part, dict) or id(part) in seen:
            continue
        seen.add(id(part))
        yield part
        for key in _LISTS_IN_PLACE:
            several = part.get(key)
            left += several if isinstance(several, list) else []
        left += [part[key] for key in _PARTS_IN_PLACE if key in part]
        left.append(_referred_to(root, part.get("$ref")))


def _referred_to(root: JsonValue, reference: JsonValue) -> JsonValue:
    """Return what a reference into the same schema leads to, None where it leads nowhere."""
    if not isinstance(reference, str) or not reference.startswith("#"):
        return None
    found = root
    for key in reference[1:].split("/")[1:]:
        name = key.replace("~1", "/").replace("~0", "~")
        found = found.get(name) if isinstance(found, dict) else None
    return found
