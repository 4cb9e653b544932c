"""`GET /api/executions/{id}/events`: the recorded events themselves, from the log."""

from datetime import datetime
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Response
from msgspec import Raw
from pydantic import BaseModel, Field
from pydantic_core import from_json, to_json

from steplog_contracts.payload import JsonValue
from tracker_service.history.event_pages import (
    DEFAULT_PAGE_EVENTS,
    MAX_PAGE_EVENTS,
    EventPage,
    EventQuestion,
    Place,
    page_of_events,
)
from tracker_service.http_api import schemas
from tracker_service.http_api.context import LISTED, ExecutionIdInPath, Parts
from tracker_service.http_api.cursors import decode_cursor, encode_cursor, whole_number
from tracker_service.http_api.masking import EVERYTHING, MASKED, Mask, mask_of
from tracker_service.http_api.masking.shown import masked_body
from tracker_service.http_api.problems import NotFound
from tracker_service.http_api.query_context import Asked
from tracker_service.http_api.responses import marked_payload, record
from tracker_service.log.events_log import EventsLog, LogNotRead
from tracker_service.log.execution_records import MAX_LOOKED_AT
from tracker_service.store.queries import Row

# Without a row a search costs what the partition holds, so a page looks at fewer.
MAX_SEARCHED: Final = 100_000
_MAX_CURSOR_CHARS: Final = 120

AfterSeq = Annotated[int, Query(ge=0, description="Only events after this one.")]
Limit = Annotated[int, Query(ge=1, le=MAX_PAGE_EVENTS)]
Cursor = Annotated[
    str | None, Query(max_length=_MAX_CURSOR_CHARS, description="next_cursor of a page.")
]
WithStale = Annotated[bool, Query(description="Also what a former owner appended too late.")]


class EventShape(BaseModel):
    """One event as recorded; `data` is null and `raw` the text where nobody can read it."""

    offset: int
    partition: int
    seq: int
    time: datetime | None
    epoch: int | None
    type: str | None
    causation_id: str | None
    data: JsonValue


class Searched(BaseModel):
    """How far a page has looked in the log."""

    partition: int
    next_offset: int
    end_offset: int
    in_rows: bool = Field(description="False: the execution has no row, so it was searched for.")


class EventsAnswer(schemas.Answer):
    """Events in the order of the log; `next_cursor` while there may be more."""

    items: list[EventShape]
    next_cursor: str | None
    searched: Searched


router = APIRouter(prefix="/api", tags=["events"])


@router.get("/executions/{execution_id}/events", responses=schemas.answers(EventsAnswer, 404, 410))
async def get_events(
    asked: Asked,
    execution_id: ExecutionIdInPath,
    after_seq: AfterSeq = 0,
    limit: Limit = DEFAULT_PAGE_EVENTS,
    cursor: Cursor = None,
    stale: WithStale = False,
) -> Response:
    """Return an execution's events as recorded, in the order of the log, secrets masked."""
    log = asked.parts.log
    if log is None:
        raise LogNotRead
    row = await asked.parts.model.execution(execution_id)
    place = None if cursor is None else decode_cursor(cursor, _place)
    wanted = EventQuestion(execution_id, after_seq, limit, place, stale)
    bound = MAX_SEARCHED if row is None else MAX_LOOKED_AT
    page = await page_of_events(log, row, wanted, max_records=bound)
    if row is None and not page.events and page.following is None:
        refused = await asked.parts.refused(execution_id)
        raise refused or NotFound(
            f"There is no execution {execution_id}, neither in the rows nor in partition "
            f"{page.stretch.partition} of the log; {LISTED}"
        )
    mask = _with_those_of(page, await _mask(asked.parts, log, execution_id, row))
    return await asked.answer(_body(page, mask, in_rows=row is not None))


async def _mask(parts: Parts, log: EventsLog, execution_id: str, row: Row | None) -> Mask:
    """Return what to mask; an execution without a row tells it in its first event."""
    if row is not None:
        return await parts.masks.of_execution(row)
    beginning = EventQuestion(execution_id, 0, 1, None, False)
    page = await page_of_events(log, None, beginning, max_records=MAX_SEARCHED)
    started = from_json(bytes(page.events[0]["data"] or b"null")) if page.events else None
    if not isinstance(started, dict):
        return EVERYTHING
    if started.get("definition") is not None:
        return mask_of(to_json(started["definition"]))
    return await parts.masks.of(started.get("definition_hash"))


def _with_those_of(page: EventPage, mask: Mask) -> Mask:
    """Add the values of the events themselves, which may be newer than the rows."""
    if not mask:
        return mask
    data = [event["data"] for event in page.events if isinstance(event.get("data"), Raw)]
    found = (text for one in data for text in mask.secrets_in(from_json(bytes(one))))
    return mask.with_values(mask.values | frozenset(found))


def _masked(event: Row, mask: Mask) -> Row:
    told: Row = masked_body(record(event), {}, mask)
    if isinstance(told.get("data"), Raw):
        told["data"] = marked_payload(told["data"])
    if mask and "raw" in told:
        # Nobody can tell what stands where in bytes that are no JSON.
        told["raw"] = MASKED
    return told


def _body(page: EventPage, mask: Mask, *, in_rows: bool) -> dict[str, Any]:
    stretch = page.stretch
    return {
        "items": [_masked(event, mask) for event in page.events],
        "next_cursor": None if page.following is None else encode_cursor(*page.following),
        "searched": {
            "partition": stretch.partition,
            "next_offset": stretch.next_offset,
            "end_offset": stretch.end,
            "in_rows": in_rows,
        },
    }


def _place(offset: Any, epoch: Any, after_seq: Any, under_epoch: Any = None) -> Place:
    # An earlier version's cursor does not say how the history began.
    begun = None if under_epoch is None else bool(under_epoch)
    known_epoch = None if epoch is None else whole_number(epoch)
    return Place(whole_number(offset), known_epoch, whole_number(after_seq), begun)
