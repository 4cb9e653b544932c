"""The recorded events of an execution as typed facts, read through the API."""

from typing import Final

from pydantic import ValidationError

from steplog.client.read_api import ReadApi, path_of
from steplog.errors import NotAnswered
from steplog_contracts.events import EVENT_CLASS_BY_TYPE, Event

PAGE_EVENTS: Final = 1_000
# An execution of 50,000 steps; what is longer is told, not read.
MAX_EVENTS: Final = 100_000


class EventsNotTold(NotAnswered):
    """A history that can't be read whole: too long, not decodable, or stored beside the log."""


async def recorded_events(read: ReadApi, execution_id: str) -> list[Event]:
    """Return an execution's events in order, each once, with all their values.

    Raises:
        EventsNotTold: not all of them can be had.
        NotAnswered: the log no longer has them.
    """
    events: list[Event] = []
    cursor: str | None = None
    while len(events) <= MAX_EVENTS:
        page = await read.get(path_of(execution_id, "events"), limit=PAGE_EVENTS, cursor=cursor)
        for item in page["items"]:
            if item["seq"] == len(events) + 1:  # A repeat is no news.
                events.append(_event(execution_id, item["type"], item["data"]))
        cursor = page["next_cursor"]
        if cursor is None:
            break
    if not events:
        raise EventsNotTold(f"The log has no events of execution {execution_id}.")
    if len(events) <= MAX_EVENTS:
        return events
    raise EventsNotTold(f"Execution {execution_id} has more than {MAX_EVENTS} events.")


def _event(execution_id: str, kind: str, data: object) -> Event:
    try:
        event = EVENT_CLASS_BY_TYPE[kind].model_validate(data)
    except (KeyError, ValidationError) as error:
        raise EventsNotTold(
            f"Execution {execution_id} has an event that this version can't read ({kind})."
        ) from error
    if event.references:
        raise EventsNotTold(
            f"Execution {execution_id} has values stored beside the log, which are not read here."
        )
    return event
