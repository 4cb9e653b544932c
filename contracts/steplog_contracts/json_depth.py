"""How deep JSON nests, found without reading it: one bound for every reader of records.

JSON readers end at depths of their own (200, 255, 1,000 or the stack), so a record beyond the least
of them is read by none of ours.
"""

import re
from itertools import accumulate
from typing import Final

from steplog_contracts.errors import UndecodableRecord
from steplog_contracts.refusal_codes import RefusalCode

# What pydantic reads. Writers stay far below: see `payload.MAX_JSON_DEPTH_LEVELS`.
MAX_READ_DEPTH_LEVELS: Final = 200
# Also one that never ends, so that no text makes the search begin again and again.
_STRING: Final = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?', re.DOTALL)
_NO_BRACKETS: Final = bytes(set(range(256)) - set(b"[]{}"))
_STEP: Final = {ord("["): 1, ord("{"): 1, ord("]"): -1, ord("}"): -1}


def nests_deeper(data: bytes, levels: int) -> bool:
    """Return whether arrays and objects stand in each other more than so many levels deep."""
    if data.count(b"[") + data.count(b"{") <= levels:
        return False
    brackets = _STRING.sub(b"", data).translate(None, _NO_BRACKETS)
    return any(depth > levels for depth in accumulate(map(_STEP.__getitem__, brackets)))


def check_depth(data: bytes) -> None:
    """Raise `UndecodableRecord` for a payload that nests deeper than readers read."""
    if nests_deeper(data, MAX_READ_DEPTH_LEVELS):
        raise UndecodableRecord(
            RefusalCode.TOO_DEEP, f"The payload nests deeper than {MAX_READ_DEPTH_LEVELS} levels."
        )
