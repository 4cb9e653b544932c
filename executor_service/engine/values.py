"""Plain JSON values: copied cheaply, compared strictly, and made from what steps return.

"Plain" means dict with str keys, list, str, int, float, bool and None, of exactly those types. The
engine never changes a plain value in place, so values are shared between data, results and events
freely; only what is handed to user code is a copy.
"""

import dataclasses
import math
from datetime import date, datetime, time
from decimal import Decimal
from enum import Enum
from itertools import islice
from typing import Any, Final
from uuid import UUID

from pydantic import BaseModel

from executor_service.errors import ResultNotJson
from steplog_contracts.payload import MAX_JSON_DEPTH_LEVELS, JsonValue

# CPython refuses to write longer integers as text, so no reader could take them.
MAX_INTEGER_BITS: Final = 14_000
# Of a result: values count one, and objects and arrays a few more. What is shared inside it is
# written out each time it is met, so a few lines of code can hold more than any machine.
MAX_RESULT_WEIGHT: Final = 8_000_000
_CONTAINER_WEIGHT: Final = 5
MAX_PATH_CHARS: Final = 300
_SHORT_INTEGERS: Final = 1 << 64
_SCALARS: Final = frozenset({str, int, float, bool, type(None)})


class Absent:
    """The value of a path that leads nowhere; distinct from null."""

    def __repr__(self) -> str:
        return "ABSENT"

    def __bool__(self) -> bool:
        return False


ABSENT: Final = Absent()


def copy_json(value: JsonValue) -> JsonValue:
    """Return a deep copy of a plain value; scalars are shared, they can't change."""
    kind = type(value)
    if kind is dict:
        return {
            key: item if type(item) in _SCALARS else copy_json(item) for key, item in value.items()
        }
    if kind is list:
        return [item if type(item) in _SCALARS else copy_json(item) for item in value]
    return value


def same_json(left: JsonValue, right: JsonValue) -> bool:
    """Say whether two plain values are the same JSON: 1 equals 1.0, but never true."""
    if left is right:
        return True
    if type(left) is dict and type(right) is dict:
        return left.keys() == right.keys() and all(
            same_json(item, right[key]) for key, item in left.items()
        )
    if type(left) is list and type(right) is list:
        return len(left) == len(right) and all(map(same_json, left, right))
    if isinstance(left, bool) or isinstance(right, bool):
        return False
    return bool(left == right)


def unchanged(left: JsonValue, right: JsonValue) -> bool:
    """Say whether a step passed a value through; 1 and 1.0 differ here, as their texts do."""
    if left is right:
        return True
    if type(left) is not type(right):
        return False
    if type(left) is dict:
        return left.keys() == right.keys() and all(
            unchanged(item, right[key]) for key, item in left.items()
        )
    if type(left) is list:
        return len(left) == len(right) and all(map(unchanged, left, right))
    return bool(left == right)


def plain(value: Any, where: str = "$") -> JsonValue:
    """Return a step's result as plain JSON, sharing nothing that the step could still change.

    Converted: pydantic models, dataclasses, datetimes (ISO-8601), UUIDs and decimals (text, so that
    no digit is lost), enums (their value), tuples (arrays) and subclasses of the plain types.

    Raises:
        ResultNotJson: something inside is not JSON; the message names its type and key path.
    """
    return _plain(value, where, 0, [MAX_RESULT_WEIGHT])


def _plain(value: Any, where: str, depth: int, room: list[int]) -> JsonValue:
    kind = type(value)
    if kind is str:
        return value if value.isascii() else _text(value, where)
    if kind is bool or value is None:
        return value
    if kind is int:
        return _integer(value, where)
    if kind is float:
        return _number(value, where)
    if depth >= MAX_JSON_DEPTH_LEVELS:
        raise ResultNotJson(
            f"The value under {_shortened(where)} nests deeper than {MAX_JSON_DEPTH_LEVELS} levels."
        )
    if isinstance(value, dict):
        # A class of users' own may never stop giving; it has no more than it holds.
        _take_room(room, dict.__len__(value))
        items = value.items() if kind is dict else islice(value.items(), dict.__len__(value))
        return {
            key if type(key) is str and key.isascii() else _key(key, where): item
            if _is_plain(item)
            else _plain(item, _inside(where, key), depth + 1, room)
            for key, item in items
        }
    if isinstance(value, (list, tuple)):
        if isinstance(value, list):  # Not what a class of users' own says of itself.
            held, size = list.__iter__(value), list.__len__(value)
        else:
            held, size = tuple.__iter__(value), tuple.__len__(value)
        _take_room(room, size)
        return [
            item if _is_plain(item) else _plain(item, f"{where}[{index}]", depth + 1, room)
            for index, item in enumerate(held)
        ]
    return _plain(_converted(value, where), where, depth + 1, room)


def _take_room(room: list[int], values: int) -> None:
    room[0] -= values + _CONTAINER_WEIGHT
    if room[0] < 0:
        raise ResultNotJson(
            "The result holds more values than can be written, counting what it holds in several "
            "places once for each; write it to a file and return its path."
        )


def _inside(where: str, key: object) -> str:
    # Long keys over many values would be copied for each of them.
    if len(where) > MAX_PATH_CHARS:
        return where
    return f"{where}.{key if type(key) is str and len(key) <= MAX_PATH_CHARS else '...'}"


def _is_plain(value: Any) -> bool:
    """Say whether a value is plain as it is, of those that most are; asked for every one."""
    kind = type(value)
    if kind is str:
        return bool(value.isascii())
    if kind is int:
        return bool(-_SHORT_INTEGERS < value < _SHORT_INTEGERS)
    return value is None or kind is bool or (kind is float and math.isfinite(value))


def _converted(value: Any, where: str) -> Any:
    match value:
        case Enum():
            return value.value
        case BaseModel():
            return {name: getattr(value, name) for name in type(value).model_fields} | (
                value.model_extra or {}
            )
        case datetime() | date() | time():
            return value.isoformat()
        case UUID() | Decimal():
            return _finite_text(value, where)
        case bool() | None:
            return value
        case str():
            return str.__str__(value)
        case int():
            return int(value)
        case float():
            return float(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    kind = type(value)
    raise ResultNotJson(
        f"The value under {_shortened(where)} is of type {kind.__module__}.{kind.__qualname__}, "
        f"which is not JSON; {_remedy(kind)}."
    )


# What people return most that is not JSON, and what they can return instead.
_REMEDIES: Final = {
    "numpy.ndarray": "return its .tolist()",
    "numpy": "return its .item()",
    "pandas.DataFrame": 'return its .to_dict("records"), or write a file and return its path',
    "pandas.Series": "return its .tolist()",
    "pandas.Timestamp": "return its .isoformat()",
    "polars.DataFrame": "return its .to_dicts(), or write a file and return its path",
    "pyarrow.Table": "return its .to_pylist(), or write a file and return its path",
    "builtins.set": "return a sorted list",
    "builtins.frozenset": "return a sorted list",
    "builtins.bytes": "return text, such as base64, or write a file and return its path",
    "pathlib": "return str(path)",
}


def _remedy(kind: type) -> str:
    package = kind.__module__.partition(".")[0]
    named = _REMEDIES.get(f"{package}.{kind.__qualname__}") or _REMEDIES.get(package)
    return named or "return dicts, lists, text, numbers, booleans or null"


def _finite_text(value: UUID | Decimal, where: str) -> str:
    if isinstance(value, Decimal) and not value.is_finite():
        raise ResultNotJson(f"The value under {_shortened(where)} is {value}, which is not JSON.")
    return str(value)


def _key(key: Any, where: str) -> str:
    if isinstance(key, str):
        return _text(str.__str__(key), where)
    raise ResultNotJson(
        f"The object under {_shortened(where)} has the key {key!r} of type {type(key).__name__}; "
        "JSON keys are text."
    )


def _text(value: str, where: str) -> str:
    try:
        value.encode()
    except UnicodeEncodeError:
        raise ResultNotJson(
            f"The text under {_shortened(where)} holds a lone surrogate, which has no UTF-8 form."
        ) from None
    return value


def _integer(value: int, where: str) -> int:
    if value.bit_length() > MAX_INTEGER_BITS:
        raise ResultNotJson(
            f"The integer under {_shortened(where)} has more than {MAX_INTEGER_BITS} bits."
        )
    return value


def _number(value: float, where: str) -> float:
    if not math.isfinite(value):
        raise ResultNotJson(f"The number under {_shortened(where)} is {value}, which is not JSON.")
    return value


def _shortened(where: str) -> str:
    return where if len(where) <= 200 else f"{where[:120]}...{where[-60:]}"
