"""The recorded events of one execution, a page at a time, decoded as far as they can be.

A cursor carries the place in the partition and the claim in force there, so the next page reads on
and not from the beginning.
"""

from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from msgspec import Raw
from pydantic_core import from_json, to_json

from steplog_contracts.codec import decode_event, read_attributes
from steplog_contracts.errors import ContractError, UnknownRecordType
from steplog_contracts.payload import encode_payload
from tracker_service.log.events_log import EventsLog
from tracker_service.log.execution_records import Recorded, Stretch, searched, stretch_of
from tracker_service.projections.record_header import Heading
from tracker_service.store.queries import Row

MAX_PAGE_EVENTS: Final = 1_000
DEFAULT_PAGE_EVENTS: Final = 200
# Payloads of one page; a page ends early where they are larger.
MAX_PAGE_BYTES: Final = 8 * 1024 * 1024


class Place(NamedTuple):
    """Where the next page reads on."""

    offset: int
    epoch: int | None
    after_seq: int
    under_epoch: bool | None = None


@dataclass(frozen=True, slots=True)
class EventPage:
    """Events in the order of the log; `following` is None when everything was looked at."""

    events: Sequence[Row]
    following: Place | None
    stretch: Stretch


@dataclass(frozen=True, slots=True)
class EventQuestion:
    """Which events of an execution: `place` is where the page before ended."""

    execution_id: str
    after_seq: int = 0
    limit: int = DEFAULT_PAGE_EVENTS
    place: Place | None = None
    with_stale: bool = False


async def page_of_events(
    log: EventsLog, row: Row | None, wanted: EventQuestion, *, max_records: int
) -> EventPage:
    """Return a page; `row` is None for an execution the rows don't have: then it is searched.

    Raises:
        LogRemoved: retention removed the history's beginning.
        LogUnreachable: the log does not answer.
    """
    bounds = await log.bounds()
    if row is None:
        stretch = searched(wanted.execution_id, bounds, max_records)
    else:
        stretch = stretch_of(row, bounds)
        stretch.max_records = max_records
    after_seq = wanted.after_seq
    if wanted.place is not None:
        stretch.next_offset = max(stretch.next_offset, wanted.place.offset)
        stretch.epoch, after_seq = wanted.place.epoch, wanted.place.after_seq
        stretch.under_epoch = wanted.place.under_epoch
    events: list[Row] = []
    size = 0
    async with aclosing(stretch.records(log, wanted.execution_id)) as found:
        async for recorded in found:
            if recorded.heading.seq <= after_seq or (recorded.stale and not wanted.with_stale):
                continue
            events.append(event_row(stretch.partition, recorded))
            size += len(recorded.record.value or b"")
            if len(events) == wanted.limit or size >= MAX_PAGE_BYTES:
                break
    following = None
    if not stretch.finished:
        following = Place(stretch.next_offset, stretch.epoch, after_seq, stretch.under_epoch)
    return EventPage(events, following, stretch)


def event_row(partition: int, recorded: Recorded) -> Row:
    """Return an event for people and programs; one that can't be decoded says why."""
    heading, record = recorded.heading, recorded.record
    row: Row = {"offset": record.offset, "partition": partition, "seq": heading.seq}
    if isinstance(heading, Heading):
        row |= {
            "time": heading.time,
            "epoch": heading.epoch,
            "type": heading.kind,
            "causation_id": heading.causation_id,
        }
    else:
        row |= {"time": None, "epoch": None, "type": None, "causation_id": None}
    row |= _decoded(recorded)
    if recorded.stale:
        row["stale"] = True
    return row


def _decoded(recorded: Recorded) -> dict[str, Any]:
    """Return the payload as this version understands it; else as it was written, with why."""
    record = recorded.record
    try:
        event = decode_event(record.value, record.headers).event
    except (ContractError, ValueError, RecursionError) as error:
        code = getattr(error, "code", "unknown_type")
        known = isinstance(error, ContractError) and not isinstance(error, UnknownRecordType)
        return _as_written(record.value, record.headers) | {
            "problem": {"code": code if known else "unknown_type", "reason": str(error)}
        }
    kind = event.event_type
    told: dict[str, Any] = {"data": Raw(encode_payload(event))}
    if isinstance(recorded.heading, Heading) and recorded.heading.kind != kind:
        # Brought forward from an older version; what it was stays visible.
        told = {"type": kind, "recorded_type": recorded.heading.kind, **told}
    return told


def _as_written(value: bytes | None, headers: Sequence[tuple[str, bytes | None]]) -> dict[str, Any]:
    try:
        data = read_attributes(value, headers)[1]
        from_json(data, allow_inf_nan=False)
        return {"data": Raw(data)}
    except (ContractError, ValueError):
        text = None if value is None else value.decode(errors="backslashreplace")
        return {"data": None, "raw": Raw(to_json(text))}
