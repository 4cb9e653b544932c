"""One execution's large values: stored before the event that carries them, known again by identity.

The engine never changes a value in place and shares what steps pass through, so a value that was
stored once is recognised in every later input and output by being the same object, at no cost.
"""

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple, TypeVar

from pydantic_core import to_json

from executor_service.payloads.client import Payloads
from steplog_contracts.commands import Command, check_values
from steplog_contracts.data_ref import (
    MAX_REFERENCES,
    DataRef,
    References,
    filled,
    hollowed,
    pointer,
)
from steplog_contracts.events import Event
from steplog_contracts.payload import JsonValue, canonical_json

# What an event's other fields take up at most beside a value that just fits.
EVENT_ROOM_BYTES: Final = 1_024
# Members of an object below this stay in the event: a reference takes up 200 bytes itself.
MIN_PART_BYTES: Final = 4 * 1024
# Of one field; three fields of an event together stay within MAX_REFERENCES.
MAX_PARTS: Final = MAX_REFERENCES // 3
# Values recognised again; the oldest is forgotten first and would be stored anew, harmlessly.
MAX_KNOWN: Final = 1_000

CarrierT = TypeVar("CarrierT", Event, Command)


class _Known(NamedTuple):
    value: JsonValue  # Held, so that its identity stays its own.
    reference: DataRef


class ClaimCheck:
    """Takes in the large values of one execution and puts references in their place."""

    def __init__(self, payloads: Payloads) -> None:
        self._payloads = payloads
        self.known: dict[int, _Known] = {}  # Values that are stored, by their identity.
        self.stores = payloads.stores
        self.max_inline_bytes = payloads.max_inline_bytes - EVENT_ROOM_BYTES

    def fits(self, value: JsonValue) -> bool:
        """Say whether a value may stand in its event as it is."""
        # On the path of every step; the value is plain, so it has a JSON form.
        return len(to_json(value)) <= self.max_inline_bytes

    async def take_in(self, value: JsonValue) -> None:
        """Store as much of a value as has to be for the rest to fit into an event.

        Raises:
            PayloadNotStored: that is not possible.
        """
        if id(value) in self.known:
            return
        if type(value) is not dict or not self.stores:
            await self._store_whole(value)
            return
        known, parts = 0, dict[str, bytes]()
        for key, member in value.items():
            if id(member) in self.known:
                known += 1
            else:
                parts[key] = canonical_json(member)
        await self._store_parts(value, parts, MAX_PARTS - known)

    async def hollow(self, event: CarrierT) -> CarrierT:
        """Return an event or command with its large values stored and referred to.

        Raises:
            PayloadNotStored: one of them could not be stored.
        """
        for field in type(event).payload_fields:
            value = getattr(event, field)
            if id(value) not in self.known and not self.fits(value):
                await self.take_in(value)
        return self.hollow_known(event)

    def hollow_known(self, event: CarrierT) -> CarrierT:
        """Return it with references in place of the values that are stored already."""
        found: References = {}
        for field in type(event).payload_fields:
            found |= self._places(field, getattr(event, field))
        if not found:
            return event
        fields = {name: getattr(event, name) for name in type(event).payload_fields}
        references = {**(event.references or {}), **found}
        return event.model_copy(update={**hollowed(fields, found), "references": references})

    async def restored(self, carriers: Sequence[CarrierT]) -> list[CarrierT]:
        """Return events or commands with every stored value back in its place.

        Raises:
            PayloadMissing: a value is not there.
            ContractError: a value was altered, or a reference points at nothing.
        """
        values = await self._payloads.fetch_all(*(carrier.references for carrier in carriers))
        for carrier in carriers:
            for reference in (carrier.references or {}).values():
                self._learn(values[reference.sha256], reference)
        return [_restored(carrier, values) for carrier in carriers]

    def _places(self, field: str, value: JsonValue) -> References:
        known = self.known.get(id(value))
        if known is not None:
            return {pointer(field): known.reference}
        if type(value) is not dict:
            return {}
        members = {
            pointer(field, key): found.reference
            for key, member in value.items()
            if (found := self.known.get(id(member))) is not None
        }
        return members if len(members) <= MAX_PARTS else {}

    async def _store_parts(
        self, value: JsonValue, parts: dict[str, bytes], parts_left: int
    ) -> None:
        inline = sum(len(key) + len(part) for key, part in parts.items())
        largest = sorted(parts, key=lambda key: len(parts[key]), reverse=True)
        for key in largest[: max(parts_left, 0)]:
            if inline <= self.max_inline_bytes or len(parts[key]) < MIN_PART_BYTES:
                break
            self._learn(value[key], await self._payloads.put(parts[key]))
            inline -= len(parts[key])
        if inline > self.max_inline_bytes or parts_left < 0:
            await self._store_whole(value)

    async def _store_whole(self, value: JsonValue) -> None:
        self._learn(value, await self._payloads.put(canonical_json(value)))

    def _learn(self, value: JsonValue, reference: DataRef) -> None:
        self.known[id(value)] = _Known(value, reference)
        if len(self.known) > MAX_KNOWN:
            del self.known[next(iter(self.known))]


def _restored(carrier: CarrierT, values: Mapping[str, JsonValue]) -> CarrierT:
    if not carrier.references:
        return carrier
    fields = {name: getattr(carrier, name) for name in type(carrier).payload_fields}
    places = {place: values[found.sha256] for place, found in carrier.references.items()}
    # Validated anew: a stored value is as foreign as any other that comes by the wire.
    return type(carrier).model_validate(
        {**carrier.__dict__, **filled(fields, places), "references": None}
    )


async def with_values(command: Command, payloads: Payloads) -> Command:
    """Return a command with every stored value in its place, and each large value stored.

    A command is refused for what can't be stored while that is still possible: before anything of
    it is recorded.

    Raises:
        PayloadMissing, ContractError: as `ClaimCheck.restored`.
        PayloadNotStored: as `ClaimCheck.take_in`.
    """
    claim_check = ClaimCheck(payloads)
    [whole] = await claim_check.restored([command])
    if whole is not command:
        check_values(whole)
    for field in type(whole).payload_fields:
        value = getattr(whole, field)
        if not claim_check.fits(value):
            await claim_check.take_in(value)
    return whole
