"""Cursors: where a page ended, as opaque text that fits only the list and order it came from.

Every cursor is a JSON array in URL-safe base64, read in one place: what is none of ours is refused,
whatever it is.
"""

import base64
from collections.abc import Callable
from datetime import datetime
from typing import Any, Final, TypeVar

from pydantic_core import from_json, to_json

from tracker_service.http_api.moments import place_in_utc
from tracker_service.http_api.problems import BadQuestion
from tracker_service.store.queries import Sort

Place = tuple[datetime | float, str]
PlaceT = TypeVar("PlaceT")
MAX_NUMBER: Final = 2**63 - 1
_NOT_OURS: Final = (ValueError, TypeError, ArithmeticError, RecursionError)


def encode_cursor(*values: Any) -> str:
    """Return the cursor that holds these values; times and numbers as JSON has them."""
    return base64.urlsafe_b64encode(to_json(values)).decode()


def decode_cursor(cursor: str, place: Callable[..., PlaceT]) -> PlaceT:
    """Return the place that `place` makes of a cursor's values.

    Raises:
        BadQuestion: the cursor is none of ours, or `place` can't make anything of it.
    """
    try:
        values = from_json(base64.urlsafe_b64decode(cursor.encode()))
        if not isinstance(values, list):
            raise TypeError(values)
        return place(*values)
    except _NOT_OURS as error:
        raise BadQuestion("cursor is not the next_cursor of such a page.") from error


def known_id(text: Any) -> str:
    """Return an execution's id out of a cursor; raise `ValueError` where it can be none."""
    if not isinstance(text, str) or "\x00" in text:
        raise ValueError(text)
    return text


def whole_number(value: Any) -> int:
    """Return an offset or the like out of a cursor; raise `ValueError` where it can be none."""
    if type(value) is not int or not 0 <= value <= MAX_NUMBER:
        raise ValueError(value)
    return value


def write_cursor(place: Place, sort: Sort, *, descending: bool) -> str:
    """Return the cursor for a place in an order of the list of executions."""
    value, execution_id = place
    shown = value.isoformat() if isinstance(value, datetime) else value
    return encode_cursor(sort.value, descending, shown, execution_id)


def read_cursor(cursor: str, sort: Sort, *, descending: bool) -> Place:
    """Return the place a cursor stands for.

    Raises:
        BadQuestion: it is none of ours, or of another order.
    """

    def place(made_for: Any, way: Any, shown: Any, execution_id: Any) -> tuple[bool, Place]:
        value = float(shown) if sort is Sort.DURATION else place_in_utc(shown)
        return (made_for, way) == (sort.value, descending), (value, known_id(execution_id))

    fits, found = decode_cursor(cursor, place)
    if not fits:
        raise BadQuestion("cursor comes from another order; begin again without it.")
    return found
