"""The masks of executions: what their definitions name, and the values that stood there."""

import json
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from msgspec import Raw

from steplog_contracts.data_ref import DataRef, keys_of
from steplog_contracts.errors import AlteredPayload
from tracker_service.http_api.masking.mask import EVERYTHING, NOTHING, Mask, mask_of
from tracker_service.http_api.masking.shown import masked_body, rows_in
from tracker_service.payload_reader import (
    NoPayloadStore,
    NoReader,
    PayloadGone,
    PayloadReader,
    PayloadTooLong,
)
from tracker_service.store.queries import Row
from tracker_service.store.read_port import ReadModel

MAX_KNOWN_DEFINITIONS: Final = 1_000
MAX_KNOWN_EXECUTIONS: Final = 1_000
# Visits and questions of one execution that are looked through for secret values.
MAX_VISITS: Final = 5_000
MAX_QUESTIONS: Final = 1_000
# Executions that one's data came from, one behind the other.
MAX_GIVERS_UP: Final = 16
_GIVEN_BY: Final = ("parent_execution_id", "forked_from")
_NOT_READ: Final = (NoPayloadStore, PayloadGone, PayloadTooLong, AlteredPayload, ValueError)
_PAYLOADS: Final = (
    "input_data", "output_data", "parameters", "metadata", "human_input", "last_heartbeat",
)  # fmt: skip


class Masks:
    """The masks of definitions, read once each, and of executions, for as long as they stand."""

    def __init__(self, model: ReadModel, reader: PayloadReader | None = None) -> None:
        self._model = model
        self._reader = reader or NoReader()
        self._known: OrderedDict[str, Mask] = OrderedDict()
        self._of_executions: OrderedDict[str, tuple[int, Mask]] = OrderedDict()
        # By hash, the definitions that name secrets; and all that were looked at.
        self._with_secrets: dict[str, Mask] = {}
        self._looked_at: set[str] = set()

    async def shown(self, body: Any, execution: Row | None = None) -> Any:
        """Return what people may see of an answer: each row masked as its execution asks.

        `execution` is the row of the one the whole answer is about, if it is about one.
        """
        rows = {} if execution is None else {execution["execution_id"]: execution}
        for row in rows_in(body):
            if "definition_hash" in row and "seq" in row:
                rows.setdefault(row["execution_id"], dict(row))
        ids = {row["execution_id"] for row in rows_in(body)} - rows.keys()
        for found in await self._model.executions_by_id(sorted(ids)) if ids else ():
            rows[found["execution_id"]] = found
        masks = {one: await self.of_execution(row) for one, row in rows.items()}
        default = NOTHING if execution is None else masks[execution["execution_id"]]
        # Of an execution without a row nobody can tell what is secret.
        return masked_body(body, {**dict.fromkeys(ids, EVERYTHING), **masks}, default)

    async def of_execution(self, row: Row) -> Mask:
        """Return the mask of an execution as it stands: paths and the values found there.

        What its parent or its origin hides was given to it under whatever name, so it hides that
        as well.
        """
        mask = await self._of_its_own(row)
        if not any(row.get(name) for name in _GIVEN_BY):
            return mask
        given = [await self._of_its_own(one) for one in await self._givers(row)]
        return mask.joined(given) if any(given) else mask

    async def _givers(self, row: Row) -> Sequence[Row]:
        """Return the rows of the executions that this one's data came from, the nearest first."""
        known: dict[str, Row] = {row["execution_id"]: row}
        level: Sequence[Row] = [row]
        for _ in range(MAX_GIVERS_UP):
            named = {one.get(name) for one in level for name in _GIVEN_BY}
            ids = sorted({one for one in named if one} - known.keys())
            level = await self._model.executions_by_id(ids) if ids else ()
            known |= {one["execution_id"]: one for one in level}
            if not level:
                break
        return list(known.values())[1:]

    async def _of_its_own(self, row: Row) -> Mask:
        mask = await self.of(row["definition_hash"])
        if not mask or mask is EVERYTHING:
            return mask
        execution_id, seq = row["execution_id"], row["seq"]
        known = self._of_executions.get(execution_id)
        if known is None or known[0] != seq:
            mask = await self._with_values(execution_id, mask)
            known = self._of_executions[execution_id] = (seq, mask)
            self._of_executions.move_to_end(execution_id)
            if len(self._of_executions) > MAX_KNOWN_EXECUTIONS:
                self._of_executions.popitem(last=False)
        return known[1]

    async def of(self, definition_hash: str | None) -> Mask:
        """Return the mask of a definition; an execution without one has no secrets."""
        if definition_hash is None:
            return NOTHING
        known = self._known.get(definition_hash)
        if known is None:
            text = await self._model.definition(definition_hash)
            if text is None:
                return EVERYTHING  # Perhaps not applied yet: ask again next time.
            known = self._known[definition_hash] = mask_of(text)
            if len(self._known) > MAX_KNOWN_DEFINITIONS:
                self._known.popitem(last=False)
        return known

    async def definitions_with_secrets(self) -> Mapping[str, Mask]:
        """Return by hash the masks of all definitions in the rows that name secrets."""
        for definition_hash in await self._model.definition_hashes():
            if definition_hash not in self._looked_at:
                mask = await self.of(definition_hash)
                self._looked_at.add(definition_hash)
                if mask:
                    self._with_secrets[definition_hash] = mask
        return self._with_secrets

    async def _with_values(self, execution_id: str, mask: Mask) -> Mask:
        """Add what stands at secret paths of an execution's rows, in the payload store too."""
        rows: list[Row] = []
        execution = await self._model.execution(execution_id)
        rows += [] if execution is None else [execution]
        visits = await self._model.steps(execution_id, limit=MAX_VISITS)
        rows += visits
        for visit in (one for one in visits if one["item_count"]):
            place = (execution_id, visit["step_id"], visit["iteration"])
            rows += await self._model.items.page(*place, limit=MAX_VISITS)
        rows += await self._model.interactions(
            execution_id=execution_id, pending_only=False, limit=MAX_QUESTIONS
        )
        found = {text for row in rows for text in _secrets_of(row, mask)}
        try:
            for reference, key in {place for row in rows for place in _stored_in(row)}:
                found |= await self._stored_secrets(reference, key, mask)
        except _NOT_READ:
            # What is secret there is not known, so no text is shown.
            return mask.with_values(mask.values | found, complete=False)
        return mask.with_values(mask.values | found)

    async def _stored_secrets(self, reference: DataRef, key: str | None, mask: Mask) -> set[str]:
        value = json.loads(await self._reader.read(reference))
        return set(mask.secrets_in(value if key is None else {key: value}))


def _stored_in(row: Row) -> Iterator[tuple[DataRef, str | None]]:
    """Yield what a row refers to, and the first key of the place it is missing from."""
    for place, stored in _json(row.get("references"), {}).items():
        _field, *keys = keys_of(place)
        yield DataRef(**stored), keys[0] if keys else None


def _secrets_of(row: Row, mask: Mask) -> Sequence[str]:
    payloads = (_json(row.get(name), None) for name in _PAYLOADS)
    return [text for payload in payloads for text in mask.secrets_in(payload)]


def _json(text: Any, otherwise: Any) -> Any:
    """Return what a column holds; what nobody can read is masked whole where it is shown."""
    if not isinstance(text, Raw):
        return otherwise
    try:
        return json.loads(bytes(text)) or otherwise
    except (ValueError, RecursionError):
        return otherwise
