"""`GET /api/executions/{id}/events`: the recorded events themselves, from the log."""

import base64
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Response
from pydantic_core import from_json, to_json

from tracker_service.event_pages import (
    DEFAULT_PAGE_EVENTS,
    MAX_PAGE_EVENTS,
    EventPage,
    EventQuestion,
    Place,
    page_of_events,
)
from tracker_service.events_log import EventsLog, LogUnreachable
from tracker_service.http_api.answers import answer, record
from tracker_service.http_api.problems import BadQuestion, NotFound
from tracker_service.recorded import MAX_LOOKED_AT
from tracker_service.store.reading import ReadModel

# Without a row a search costs what the partition holds, so a page looks at fewer.
MAX_SEARCHED: Final = 100_000
_MAX_CURSOR_CHARS: Final = 120

AfterSeq = Annotated[int, Query(ge=0, description="Only events after this one.")]
Limit = Annotated[int, Query(ge=1, le=MAX_PAGE_EVENTS)]
Cursor = Annotated[
    str | None, Query(max_length=_MAX_CURSOR_CHARS, description="next_cursor of a page.")
]
WithStale = Annotated[bool, Query(description="Also what a former owner appended too late.")]


def routes(model: ReadModel, topic: str, log: EventsLog | None) -> APIRouter:
    """Return the route over a log; without one it answers that it can't."""
    router = APIRouter(prefix="/api", tags=["events"])

    @router.get("/executions/{execution_id}/events", responses=_SHAPES)
    async def get_events(
        execution_id: str,
        after_seq: AfterSeq = 0,
        limit: Limit = DEFAULT_PAGE_EVENTS,
        cursor: Cursor = None,
        stale: WithStale = False,
    ) -> Response:
        """Return an execution's events as recorded, in the order of the log."""
        if log is None:
            raise LogUnreachable("This API does not read the log; ask one that does.")
        freshness = await model.freshness(topic)
        row = await model.execution(execution_id)
        place = None if cursor is None else _read_cursor(cursor)
        wanted = EventQuestion(execution_id, after_seq, limit, place, stale)
        bound = MAX_SEARCHED if row is None else MAX_LOOKED_AT
        page = await page_of_events(log, row, wanted, max_records=bound)
        if row is None and not page.events and page.following is None:
            raise NotFound(
                f"There is no execution {execution_id}, neither in the rows nor in partition "
                f"{page.stretch.partition} of the log."
            )
        return answer(_body(page, in_rows=row is not None), freshness)

    return router


def _body(page: EventPage, *, in_rows: bool) -> dict[str, Any]:
    stretch = page.stretch
    return {
        "items": [record(event) for event in page.events],
        "next_cursor": None if page.following is None else _cursor(page.following),
        "searched": {
            "partition": stretch.partition,
            "next_offset": stretch.next_offset,
            "end_offset": stretch.end,
            "in_rows": in_rows,
        },
    }


def _cursor(place: Place) -> str:
    return base64.urlsafe_b64encode(to_json(list(place))).decode()


def _read_cursor(cursor: str) -> Place:
    try:
        offset, epoch, after_seq = from_json(base64.urlsafe_b64decode(cursor.encode()))
        return Place(int(offset), None if epoch is None else int(epoch), int(after_seq))
    except (ValueError, TypeError) as error:
        raise BadQuestion("cursor is not the next_cursor of a page of events.") from error


_SHAPES: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "`items` with offset, partition, seq, time, epoch, type and data, in the "
        "order of the log; `next_cursor` while there may be more; `searched`; `freshness`."
    },
    404: {"description": "Problem details: no such execution in the rows and in the log."},
    410: {"description": "Problem details: retention removed its beginning from the log."},
}
