"""JSON paths of places in a definition."""


def json_path(location: tuple[str | int, ...]) -> str:
    """Return `$.steps[0].name` for a place."""
    parts = (f"[{part}]" if isinstance(part, int) else f".{part}" for part in location)
    return "$" + "".join(parts)
