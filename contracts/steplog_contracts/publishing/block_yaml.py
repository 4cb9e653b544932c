"""JSON values as block YAML: scalars are JSON, which YAML reads, so nothing needs guessing."""

import json
from collections.abc import Iterator

from steplog_contracts.payload import JsonValue

_INDENT = "  "


def block_yaml(value: JsonValue, indent: str = "") -> Iterator[str]:
    """Yield the lines of a dict or list; empty ones and scalars stand inline."""
    items = value.items() if isinstance(value, dict) else [("-", item) for item in value]
    for key, item in items:
        head = f"{indent}-" if key == "-" else f"{indent}{_key(key)}:"
        if isinstance(item, dict | list) and item:
            yield head
            yield from block_yaml(item, indent + _INDENT)
        else:
            yield f"{head} {json.dumps(item)}"


def _key(key: str) -> str:
    plain = key.replace("_", "").replace(".", "").replace("-", "")
    return key if plain.isalnum() and not key[0].isdigit() else json.dumps(key)
