"""Values that records have in the payload store, put back into them as far as they can be had."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final, TypeVar

from steplog.errors import NotAnswered, ServiceUnreachable
from steplog_contracts.data_ref import DataRef, keys_of
from steplog_contracts.payload import JsonObject, JsonValue
from steplog_contracts.records import ExecutionRecord, InteractionRecord, StepRecord
from steplog_contracts.stored_value import StoredValue, placed, references_in

# What one answer fetches by itself; what goes beyond stays apart, each value fetched when wanted.
MAX_FETCHED_BYTES: Final = 64 * 1024 * 1024
MAX_FETCHES_AT_ONCE: Final = 4
# Fields that are an object by contract can hold no `StoredValue`; there the mark of the API stays.
_OBJECT_FIELDS: Final = frozenset({"metadata"})

RecordT = TypeVar("RecordT", ExecutionRecord, StepRecord, InteractionRecord)
# Returns a stored value's JSON text, by the execution that refers to it.
Content = Callable[[str, str], Awaitable[bytes]]


class StoredValues:
    """Fetches the stored values of the rows of one answer, each once.

    With `as_json` what is not fetched is marked `{"$stored": ...}` as in the API's own answers.
    """

    def __init__(
        self, content: Content, max_bytes: int = MAX_FETCHED_BYTES, *, as_json: bool = False
    ) -> None:
        self._content = content
        self._max_bytes = max_bytes
        self._as_json = as_json

    async def whole(self, rows: Sequence[Mapping[str, Any]]) -> list[JsonObject]:
        """Return rows with every value in its place that can be had within the bound."""
        wanted, left = dict[str, tuple[str, DataRef]](), self._max_bytes
        for row in rows:
            for reference in references_in(row.get("references")).values():
                if reference.sha256 not in wanted and reference.size_bytes <= left:
                    wanted[reference.sha256] = (_execution_of(row), reference)
                    left -= reference.size_bytes
        at_once = asyncio.Semaphore(MAX_FETCHES_AT_ONCE)
        fetched = await asyncio.gather(*(self._had(at_once, *one) for one in wanted.values()))
        values = dict(zip(wanted, fetched, strict=True))
        return [self._filled(row, values) for row in rows]

    def apart(self, row: Mapping[str, Any]) -> JsonObject:
        """Return a row with a `StoredValue` wherever a value is stored apart."""
        return self._filled(row, {})

    async def _had(
        self, at_once: asyncio.Semaphore, execution_id: str, reference: DataRef
    ) -> JsonValue:
        try:
            async with at_once:
                return json.loads(await self._content(execution_id, reference.sha256))
        except (NotAnswered, ServiceUnreachable):
            return self._stored(execution_id, reference)  # Whoever fetches it learns why.

    def _filled(self, row: Mapping[str, Any], values: Mapping[str, JsonValue]) -> JsonObject:
        references = references_in(row.get("references"))
        if not references:
            return dict(row)
        execution_id = _execution_of(row)

        def value_of(reference: DataRef) -> JsonValue:
            if reference.sha256 in values:
                return values[reference.sha256]
            return self._stored(execution_id, reference)

        filled = placed(row, references, value_of)
        for field in _OBJECT_FIELDS & filled.keys():
            if isinstance(filled[field], StoredValue):
                filled[field] = filled[field].model_dump()
        return filled

    def _stored(self, execution_id: str, reference: DataRef) -> JsonValue:
        if self._as_json:
            return StoredValue.of(reference).model_dump()

        async def fetch(wanted: DataRef) -> JsonValue:
            return json.loads(await self._content(execution_id, wanted.sha256))

        return StoredValue.of(reference, fetch)


def with_each(record: RecordT, change: Callable[[StoredValue], StoredValue]) -> RecordT:
    """Return a record with each of its stored values changed."""
    if not record.references:
        return record
    found: dict[str, Any] = {}
    for field in {keys_of(place)[0] for place in record.references}:
        value = getattr(record, field, None)
        if isinstance(value, StoredValue):
            found[field] = change(value)
        elif isinstance(value, dict):
            found[field] = {
                key: change(one) if isinstance(one, StoredValue) else one
                for key, one in value.items()
            }
    return record.model_copy(update=found)


def _execution_of(row: Mapping[str, Any]) -> str:
    return str(row.get("execution_id", ""))
