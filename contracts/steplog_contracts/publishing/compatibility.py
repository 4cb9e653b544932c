"""Whether a payload schema only grew: what readers of the old one rely on is still there.

Fields may be added if they are optional. A field may not go, change its type, or become required.
"""

from collections.abc import Iterator

from steplog_contracts.payload import JsonObject, JsonValue


def breaking_changes(old: JsonObject, new: JsonObject) -> list[str]:
    """Return what would break readers or stored records of `old`, a phrase each."""
    return list(_object_breaks(old, new, "", old.get("$defs", {}), new.get("$defs", {})))


def _object_breaks(
    old: JsonObject, new: JsonObject, place: str, old_defs: JsonObject, new_defs: JsonObject
) -> Iterator[str]:
    old_fields, new_fields = old.get("properties", {}), new.get("properties", {})
    for name, old_field in old_fields.items():
        where = f"{place}{name}"
        if name not in new_fields:
            yield f"{where} is gone"
        else:
            before = _resolved(old_field, old_defs)
            after = _resolved(new_fields[name], new_defs)
            if _shape(before) != _shape(after):
                yield f"{where} changed its type"
            yield from _object_breaks(before, after, f"{where}.", old_defs, new_defs)
    for name in set(new.get("required", [])) - set(old.get("required", [])):
        yield f"{place}{name} became required"


def _resolved(field: JsonObject, defs: JsonObject) -> JsonObject:
    """Return the field with a reference followed, also inside an optional one."""
    for option in [field, *field.get("anyOf", [])]:
        reference = option.get("$ref")
        if reference is not None:
            return dict(defs[reference.removeprefix("#/$defs/")])
    return field


def _shape(field: JsonObject) -> JsonValue:
    """Return what a value may be, without titles, defaults and descriptions."""
    kept = ("type", "format", "enum", "const", "items", "prefixItems", "anyOf", "pattern")
    return {key: field[key] for key in kept if key in field}
