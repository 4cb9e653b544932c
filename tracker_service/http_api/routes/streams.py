"""Server-sent events: one execution, or the list, as their rows commit.

A stream that breaks is taken up again with `Last-Event-ID`, which browsers send by themselves.
"""

import asyncio
import re
from collections.abc import AsyncIterator
from typing import Annotated, Any, Final

from fastapi import APIRouter, Header, Query, Request
from fastapi.responses import StreamingResponse
from starlette.types import Message, Send

from tracker_service.access.issuer import IssuerAway
from tracker_service.access.policy import Credentials
from tracker_service.access.roles import NotKnown
from tracker_service.http_api import schemas
from tracker_service.http_api.context import Parts
from tracker_service.http_api.filters import Narrowed
from tracker_service.http_api.live.change_feed import places
from tracker_service.http_api.live.subscribers import Listener, ListListener, OneListener
from tracker_service.http_api.middleware.auth import credentials_of
from tracker_service.http_api.middleware.caller import sender_of
from tracker_service.http_api.problems import BadQuestion
from tracker_service.http_api.query_context import Asked, AskedOfExecution
from tracker_service.http_api.responses import position_text, record

# A comment this often tells both sides that the other one is there.
HEARTBEAT_S: Final = 15.0
# A listener that takes nothing for so long is gone.
SEND_TIMEOUT_S: Final = 30.0
_POSITIONS: Final = re.compile(r"\d{1,6}:\d{1,18}(,\d{1,6}:\d{1,18})*")
_STREAM: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "description": "Events `execution` and `end`, or `executions` and `reset` (read the list "
        "anew); each id is a position to come back with.",
        "content": {"text/event-stream": {"schema": {"type": "string"}}},
    }
}
LastEventId = Annotated[
    str | None,
    Header(alias="Last-Event-ID", max_length=2_000, description="Of the last event received."),
]
After = Annotated[
    str | None,
    Query(max_length=2_000, description="The Steplog-Position of a list: what changed since."),
]

router = APIRouter(prefix="/api/executions", tags=["streams"])


class EventStream(StreamingResponse):
    """A stream that ends when a listener does not take what it is sent."""

    media_type = "text/event-stream"

    async def stream_response(self, send: Send) -> None:
        """Send what the listener is told, each part within a time."""

        async def in_time(message: Message) -> None:
            async with asyncio.timeout(SEND_TIMEOUT_S):
                await send(message)

        await super().stream_response(in_time)


@router.get("/stream", responses=_STREAM | schemas.problems(), response_class=EventStream)
async def stream_executions(
    request: Request,
    asked: Asked,
    wanted: Narrowed,
    after: After = None,
    last_event_id: LastEventId = None,
) -> EventStream:
    """Stream executions of a filter as they change; `gone` names those that match no longer."""
    if wanted.waiting is not None:
        raise BadQuestion("waiting can't be streamed; use status=waiting_for_human.")
    parts, listener = asked.parts, ListListener(wanted, sender_of(request))
    at = places(asked.freshness)
    since = last_event_id or after
    known = at if since is None else _positions(since)
    parts.feed.join(listener, at)
    listener.tell("hello", position_text(asked.freshness.positions()), {})
    await parts.feed.catch_up(listener, known)
    return _stream(request, parts, listener)


@router.get(
    "/{execution_id}/stream", responses=_STREAM | schemas.problems(404), response_class=EventStream
)
async def stream_execution(
    request: Request, one: AskedOfExecution, last_event_id: LastEventId = None
) -> EventStream:
    """Stream one execution and its steps as they change, until it has ended."""
    parts = one.parts
    listener = OneListener(one.execution_id, last_event_id, sender_of(request))
    parts.feed.join(listener, places(one.asked.freshness))
    # Read after joining: what commits from here on is told by the feed.
    row = await parts.execution(one.execution_id)
    steps = [record(bar) for bar in await parts.model.bars(one.execution_id)]
    shown = await parts.masks.shown({"execution": record(row), "steps": steps}, row)
    listener.told(**shown)
    return _stream(request, parts, listener)


def _stream(request: Request, parts: Parts, listener: Listener) -> EventStream:
    return EventStream(
        _events(parts, listener, credentials_of(request.headers)),
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )


async def _events(
    parts: Parts, listener: Listener, credentials: Credentials
) -> AsyncIterator[bytes]:
    """Yield events until the listener ends, or who listens is not known any more."""
    loop = asyncio.get_running_loop()
    check_at_s = loop.time() + HEARTBEAT_S
    try:
        while True:
            event = await _event_until(listener, check_at_s)
            if loop.time() >= check_at_s:
                if not await _is_known(parts, credentials):
                    return
                check_at_s = loop.time() + HEARTBEAT_S
            if event is None:
                return
            yield event
    finally:
        parts.feed.leave(listener)


async def _event_until(listener: Listener, time_s: float) -> bytes | None:
    try:
        async with asyncio.timeout_at(time_s):
            return await listener.next()
    except TimeoutError:
        return b": still here\n\n"


async def _is_known(parts: Parts, credentials: Credentials) -> bool:
    try:
        await parts.policy.caller(credentials)
    except NotKnown:
        return False
    except IssuerAway:
        return True  # Known when it began; asked again at the next heartbeat.
    return True


def _positions(text: str) -> dict[int, int]:
    if _POSITIONS.fullmatch(text) is None:
        raise BadQuestion("A place to go on from is the id of an event, or a Steplog-Position.")
    pairs = (pair.split(":") for pair in text.split(","))
    return {int(partition): int(offset) for partition, offset in pairs}
