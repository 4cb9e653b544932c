"""Old payloads to today's: pure functions, one step from a version to the next.

A stored log is never rewritten. A breaking change adds a class with a new type and one entry here,
from the old type to the new; a reader runs the chain until no entry is left. Chains can't loop:
`check_chain` runs at import.
"""

from collections.abc import Callable, Mapping

from pydantic_core import from_json, to_json

from contracts.errors import ContractError, UndecodableRecord
from contracts.payload import JsonObject

Upcaster = Callable[[JsonObject], JsonObject]
Chain = Mapping[str, tuple[str, Upcaster]]

# From type -> (to type, function). Empty while every type is at its first version.
CHAIN: Chain = {}


def upcast(record_type: str, data: bytes, chain: Chain = CHAIN) -> tuple[str, bytes]:
    """Return the newest type reachable and the payload in its shape; the bytes as given if current.

    Raises:
        UndecodableRecord: an old payload is not a JSON object, so it can't be brought forward.
    """
    if record_type not in chain:
        return record_type, data
    payload = _payload(data)
    while record_type in chain:
        record_type, step = chain[record_type]
        payload = step(payload)
    return record_type, to_json(payload)


def check_chain(chain: Chain) -> None:
    """Raise `ContractError` if following the chain from some type never ends."""
    for start in chain:
        seen, current = {start}, start
        while current in chain:
            current = chain[current][0]
            if current in seen:
                raise ContractError(f"The upcasting chain from {start} returns to {current}.")
            seen.add(current)


def _payload(data: bytes) -> JsonObject:
    try:
        payload = from_json(data)
    except ValueError as error:
        raise UndecodableRecord("bad_json", f"The payload is not JSON: {error}.") from error
    if not isinstance(payload, dict):
        raise UndecodableRecord("bad_payload", "The payload is not a JSON object.")
    return payload


check_chain(CHAIN)
