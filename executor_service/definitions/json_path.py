"""JSON paths of places in a definition, from pydantic's locations of errors."""

_UNION_MEMBERS = frozenset({"str", "bool", "dict", "int", "float"})


def json_path(location: tuple[str | int, ...]) -> str:
    """Return `$.steps[0].name` for the place of a validation error."""
    # pydantic names the member of a union it tried; those parts are no place in the document.
    parts = (
        f"[{part}]" if isinstance(part, int) else f".{part}"
        for part in location
        if isinstance(part, int) or not ("[" in part or part in _UNION_MEMBERS)
    )
    return "$" + "".join(parts)
