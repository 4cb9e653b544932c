"""Cursors: where a page ended, as opaque text that fits only the order it came from."""

import base64
import json
from datetime import datetime

from tracker_service.http_api.moments import place_in_utc
from tracker_service.http_api.problems import BadQuestion
from tracker_service.store.queries import Sort

Place = tuple[datetime | float, str]


def write_cursor(place: Place, sort: Sort, *, descending: bool) -> str:
    """Return the cursor for a place in an order."""
    value, execution_id = place
    told = value.isoformat() if isinstance(value, datetime) else value
    text = json.dumps([sort.value, descending, told, execution_id])
    return base64.urlsafe_b64encode(text.encode()).decode()


def read_cursor(cursor: str, sort: Sort, *, descending: bool) -> Place:
    """Return the place a cursor stands for.

    Raises:
        BadQuestion: it is none of ours, or of another order.
    """
    try:
        made_for, way, told, execution_id = json.loads(base64.urlsafe_b64decode(cursor.encode()))
        value = float(told) if sort is Sort.DURATION else place_in_utc(told)
        if not isinstance(execution_id, str) or "\x00" in execution_id:
            raise ValueError(execution_id)
    except (ValueError, TypeError, RecursionError) as error:
        raise BadQuestion("cursor is not the next_cursor of a page.") from error
    if (made_for, way) != (sort.value, descending):
        raise BadQuestion("cursor comes from another order; begin again without it.")
    return value, execution_id
