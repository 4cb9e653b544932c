"""The id of a visit to one item of a map: `each[17]` is item 17 of the map step `each`.

An item is a visit like any other: its id stands where a step's id stands, in events, rows, keys of
idempotency and commands. No declared step may have an id of that form beside a map of that name.
"""

import re
from typing import Final

_ITEM: Final = re.compile(r"(.+)\[(0|[1-9]\d*)\]", re.DOTALL)


def item_id(map_id: str, index: int) -> str:
    """Return the id of a map's item; items are counted from 0."""
    return f"{map_id}[{index}]"


def map_of(step_id: str) -> str:
    """Return the map that an item's id names; the id itself where it names no item."""
    found = split_item(step_id)
    return step_id if found is None else found[0]


def split_item(step_id: str) -> tuple[str, int] | None:
    """Return the map and the index that an id names, None where it is no item's."""
    found = _ITEM.fullmatch(step_id)
    return None if found is None else (found[1], int(found[2]))
