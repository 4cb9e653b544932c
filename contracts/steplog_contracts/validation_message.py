"""A validator's complaint in words for people, without the validator's own vocabulary."""

from collections.abc import Mapping
from typing import Any, Final

_PREFIXES: Final = ("Value error, ", "Assertion failed, ")
_PLAIN: Final = {
    "string_pattern_mismatch": "has characters, or an order of them, that can't stand here",
    "missing": "is missing",
    "extra_forbidden": "means nothing here; leave it out",
}


def plain_message(detail: Mapping[str, Any]) -> str:
    """Return the message of one of pydantic's error details; no full stop at its end."""
    message = _PLAIN.get(str(detail.get("type"))) or str(detail["msg"])
    for prefix in _PREFIXES:
        message = message.removeprefix(prefix)
    return message.removesuffix(".")
