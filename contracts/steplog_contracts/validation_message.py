"""A validator's complaint in words for people, without the validator's own vocabulary."""

from collections.abc import Mapping
from typing import Any, Final

_PREFIXES: Final = ("Value error, ", "Assertion failed, ")
_LIST: Final = "must be a list"
_NUMBER: Final = "must be a number"
_OBJECT: Final = "must be a JSON object"
_SWITCH: Final = "must be true or false"
_TEXT: Final = "must be text"
_TIME: Final = "must be a time such as 2026-01-31T12:00:00Z"
_WHOLE: Final = "must be a whole number"
# By the kind of a complaint; what stands in braces is its own bound.
_PREDICATES: Final = {
    "string_pattern_mismatch": "has characters, or an order of them, that can't stand here",
    "missing": "is missing",
    "extra_forbidden": "means nothing here; leave it out",
    "string_type": _TEXT,
    "string_too_short": "must have at least {min_length} characters",
    "string_too_long": "must have at most {max_length} characters",
    "int_type": _WHOLE,
    "int_parsing": _WHOLE,
    "int_from_float": _WHOLE,
    "float_type": _NUMBER,
    "float_parsing": _NUMBER,
    "finite_number": "must be a finite number",
    "bool_type": _SWITCH,
    "bool_parsing": _SWITCH,
    "list_type": _LIST,
    "tuple_type": _LIST,
    "dict_type": _OBJECT,
    "mapping_type": _OBJECT,
    "model_type": _OBJECT,
    "model_attributes_type": _OBJECT,
    "greater_than": "must be greater than {gt}",
    "greater_than_equal": "must be greater than or equal to {ge}",
    "less_than": "must be less than {lt}",
    "less_than_equal": "must be less than or equal to {le}",
    "too_short": "must have at least {min_length} entries",
    "too_long": "must have at most {max_length} entries",
    "literal_error": "must be {expected}",
    "enum": "must be {expected}",
    "datetime_type": _TIME,
    "datetime_parsing": _TIME,
    "datetime_from_date_parsing": _TIME,
    "timezone_aware": "has no time zone; write it as 2026-01-31T12:00:00Z",
}


def plain_message(detail: Mapping[str, Any]) -> str:
    """Return the message of one of pydantic's error details; no full stop at its end.

    It is what can be said of the value ("must be text"), or a sentence of its own.
    """
    predicate = _predicate(detail)
    if predicate is not None:
        return predicate
    message = str(detail["msg"])
    for prefix in _PREFIXES:
        message = message.removeprefix(prefix)
    return message.removesuffix(".")


def plain_sentence(detail: Mapping[str, Any]) -> str:
    """Return the message as a sentence that can stand behind the value's place."""
    predicate = _predicate(detail)
    return f"This {predicate}." if predicate is not None else f"{plain_message(detail)}."


def _predicate(detail: Mapping[str, Any]) -> str | None:
    template = _PREDICATES.get(str(detail.get("type")))
    try:
        return None if template is None else template.format_map(detail.get("ctx") or {})
    except KeyError:
        return None  # A complaint of the kind without its bound says it in its own words.
