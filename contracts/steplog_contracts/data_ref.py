"""References to payloads that are stored beside the log: the claim check.

A value too large for an event is an object in a store, named by the sha256 of its JSON. The event
has `null` in its place, and `references` beside the payload says so, by JSON pointer (RFC 6901):
the whole of a field (`/output`) or one member of an object (`/output/rows`). Users' data can't pose
as a reference, because no reader looks for one inside it; a reader that can't fetch still folds.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, PositiveInt, StringConstraints

from steplog_contracts.errors import AlteredPayload, ContractError
from steplog_contracts.payload import JsonObject, JsonValue

# A record may point at no more than this; what is in more pieces is stored as one. They take up
# about 200 bytes each, so the record stays well below what the log takes.
MAX_REFERENCES = 1_000
# Fields that are an object by contract have an empty one in their place, all others null.
_OBJECT_FIELDS = frozenset({"parameters", "metadata"})
# The longest object a reader takes in: it must fit into memory several times over.
MAX_STORED_BYTES = 256 * 1024 * 1024

Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class DataRef(BaseModel):
    """Where a stored value is, and how to know it again.

    `uri` is where the writer put it, for readers of other makes. Our own readers look for `sha256`
    in the store they are configured with: a reference can't send them anywhere else.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    uri: str
    sha256: Sha256
    size_bytes: PositiveInt

    def check(self, data: bytes) -> None:
        """Raise `AlteredPayload` unless these bytes are the ones referred to."""
        if len(data) != self.size_bytes or hashlib.sha256(data).hexdigest() != self.sha256:
            raise AlteredPayload(
                f"The stored payload {self.sha256} is not what was written ({self.size_bytes} "
                "bytes); restore it from a backup of the store."
            )


References: TypeAlias = Annotated[dict[str, DataRef], Field(max_length=MAX_REFERENCES)]


def object_name(sha256: str) -> str:
    """Return an object's path below the root of any store; 256 folders keep listings short."""
    return f"{sha256[:2]}/{sha256}.json"


def pointer(*keys: str) -> str:
    """Return the JSON pointer of nested keys."""
    return "".join(f"/{key.replace('~', '~0').replace('/', '~1')}" for key in keys)


def keys_of(text: str) -> tuple[str, ...]:
    """Return the keys of a JSON pointer; the reverse of `pointer`."""
    return tuple(key.replace("~1", "/").replace("~0", "~") for key in text.split("/")[1:])


def hollowed(payload: Mapping[str, JsonValue], places: Iterable[str]) -> JsonObject:
    """Return a payload's fields with nothing at each place; what is passed in stays as it is."""
    return _with(
        payload,
        ((place, {} if place[1:] in _OBJECT_FIELDS else None) for place in places),
    )


def filled(payload: Mapping[str, JsonValue], values: Mapping[str, JsonValue]) -> JsonObject:
    """Return a payload's fields with the value at each place; the reverse of `hollowed`.

    Raises:
        ContractError: a place is not one of this payload.
    """
    return _with(payload, values.items())


def _with(payload: Mapping[str, JsonValue], values: Iterable[tuple[str, JsonValue]]) -> JsonObject:
    result, owned = dict(payload), set[str]()
    for place, value in values:
        keys = keys_of(place)
        holder, key = (result, keys[0]) if len(keys) == 1 else _member(result, owned, place, keys)
        if key not in holder:
            raise _no_such_place(place)
        holder[key] = value
    return result


def _member(
    result: JsonObject, owned: set[str], place: str, keys: tuple[str, ...]
) -> tuple[JsonObject, str]:
    if len(keys) != 2 or type(result.get(keys[0])) is not dict:
        raise _no_such_place(place)
    field, key = keys
    if field not in owned:
        owned.add(field)
        result[field] = dict(result[field])  # Payloads are shared; this copy is ours.
    return result[field], key


def _no_such_place(place: str) -> ContractError:
    return ContractError(f"The reference {place!r} points at nothing in its payload.")


def distinct(references: Iterable[References | None]) -> Iterator[DataRef]:
    """Yield each object referred to once."""
    seen = set()
    for found in references:
        for reference in (found or {}).values():
            if reference.sha256 not in seen:
                seen.add(reference.sha256)
                yield reference
