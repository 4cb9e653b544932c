"""A value that is stored apart and not fetched: it says so, and is never taken for the value.

Readers put one in every place that a record's `references` name, so that nothing ever reads null
where a value was recorded. In JSON it is `{"$stored": {"sha256", "size_bytes", "uri"}}`.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, PrivateAttr, ValidationError, model_serializer

from steplog_contracts.data_ref import DataRef, keys_of
from steplog_contracts.errors import ValueStoredApart
from steplog_contracts.payload import JsonObject, JsonValue

MARK: Final = "$stored"

Fetch = Callable[[DataRef], Any]


class StoredValue(BaseModel):
    """Stands where a value was recorded that is kept in the payload store.

    It is not None, and refuses to be compared, iterated, measured or tested for truth: whoever
    needs the value calls `fetch`.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    sha256: str
    size_bytes: int
    uri: str = ""
    _fetch: Fetch | None = PrivateAttr(default=None)

    @classmethod
    def of(cls, reference: DataRef, fetch: Fetch | None = None) -> "StoredValue":
        """Return what stands for a reference; `fetch` gets its value."""
        stored = cls(sha256=reference.sha256, size_bytes=reference.size_bytes, uri=reference.uri)
        stored._fetch = fetch
        return stored

    def fetched_by(self, fetch: Fetch) -> "StoredValue":
        """Return the same value, fetched in another way."""
        return self.of(DataRef(uri=self.uri, sha256=self.sha256, size_bytes=self.size_bytes), fetch)

    def fetch(self) -> Any:
        """Return the value: of an asynchronous client to be awaited, of a blocking one at once.

        Raises:
            ValueStoredApart: it came from no client that could fetch it.
        """
        if self._fetch is None:
            raise ValueStoredApart(
                f"{self} was not read by a client; `steplog payload ID {self.sha256}` prints it."
            )
        reference = DataRef(uri=self.uri, sha256=self.sha256, size_bytes=self.size_bytes)
        return self._fetch(reference)

    @model_serializer
    def _marked(self) -> JsonObject:
        return {MARK: {"sha256": self.sha256, "size_bytes": self.size_bytes, "uri": self.uri}}

    def __str__(self) -> str:
        """Return what it is, for people."""
        return f"stored apart, {self.size_bytes:,} bytes, sha256 {self.sha256[:12]}…"

    def __repr__(self) -> str:
        """Return the same with its class."""
        return f"<StoredValue {self}>"

    def __eq__(self, other: object) -> bool:
        """Compare with another stored value; anything else can't be compared without fetching."""
        if isinstance(other, StoredValue):
            return self.sha256 == other.sha256
        raise self._not_here()

    def __hash__(self) -> int:
        """Return the hash of what it is known by."""
        return hash(self.sha256)

    def __bool__(self) -> bool:
        """Refuse: whether the value is empty is not known."""
        raise self._not_here()

    def __iter__(self) -> Any:
        """Refuse: its members are not here."""
        raise self._not_here()

    def __len__(self) -> int:
        """Refuse: its members are not here."""
        raise self._not_here()

    def __contains__(self, _member: object) -> bool:
        """Refuse: its members are not here."""
        raise self._not_here()

    def __getitem__(self, _key: object) -> Any:
        """Refuse: its members are not here."""
        raise self._not_here()

    def __lt__(self, _other: object) -> bool:
        """Refuse: it can't be compared without fetching."""
        raise self._not_here()

    __le__ = __gt__ = __ge__ = __lt__

    def _not_here(self) -> ValueStoredApart:
        return ValueStoredApart(f"The value is {self}; get it with fetch().")


def placed(
    record: Mapping[str, JsonValue],
    references: Mapping[str, DataRef],
    value_of: Callable[[DataRef], JsonValue],
) -> JsonObject:
    """Return a record with something in every place its references name and nothing stands.

    What a mask or a caller has put there already stays, and so does what is not of this record.
    """
    result, owned = dict(record), set[str]()
    for place, reference in references.items():
        field, *rest = keys_of(place) or ("",)
        holder, key = result, field
        if rest:
            if not isinstance(result.get(field), dict) or len(rest) != 1:
                continue
            if field not in owned:
                owned.add(field)
                result[field] = dict(result[field])
            holder, [key] = result[field], rest
        if key in holder and _is_hollow(holder[key]):
            holder[key] = value_of(reference)
    return result


def _is_hollow(value: JsonValue) -> bool:
    if type(value) is dict and len(value) == 1 and MARK in value:
        return True  # As an API of this version answers.
    return value is None or (type(value) is dict and not value)


def references_in(told: object) -> dict[str, DataRef]:
    """Return the references a record tells of; what is none is left out."""
    if not isinstance(told, Mapping):
        return {}
    found = {}
    for place, reference in told.items():
        try:
            found[str(place)] = DataRef.model_validate(reference, from_attributes=True)
        except ValidationError:
            continue  # Of a program that keeps another form: nothing of it can be fetched.
    return found


def marked(record: Mapping[str, JsonValue], references: object) -> JsonObject:
    """Return a record as JSON with `{"$stored": ...}` in the places its references name."""
    return placed(record, references_in(references), lambda one: StoredValue.of(one).model_dump())
