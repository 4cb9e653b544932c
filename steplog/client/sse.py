"""Server-sent events as they come over the wire, cut anywhere."""

from collections.abc import AsyncGenerator, AsyncIterable
from dataclasses import dataclass
from typing import Final

# Of one event; a thousand steps with their errors fit many times over.
MAX_EVENT_BYTES: Final = 64 * 1024 * 1024


class EventTooLong(ValueError):
    """An event that no steplog API sends."""


@dataclass(frozen=True, slots=True)
class ServerEvent:
    """One event: its kind, the id to come back with, and its data."""

    kind: str
    event_id: str | None
    data: str


async def server_events(chunks: AsyncIterable[bytes]) -> AsyncGenerator[ServerEvent]:
    """Yield the events that are whole; comments, which only keep the line open, are passed over.

    Lines end at a line feed alone, as our API writes them: a text inside may hold any other
    character that ends lines elsewhere.
    """
    lines: list[str] = []
    left = b""
    async for chunk in chunks:
        *whole, left = (left + chunk).split(b"\n")
        if len(left) > MAX_EVENT_BYTES:
            raise EventTooLong(f"an event has more than {MAX_EVENT_BYTES} bytes")
        for line in whole:
            if line:
                lines.append(line.decode(errors="replace"))
                continue
            event = _event(lines)
            lines.clear()
            if event is not None:
                yield event


def _event(lines: list[str]) -> ServerEvent | None:
    fields: dict[str, list[str]] = {}
    for line in lines:
        name, _, value = line.partition(":")
        fields.setdefault(name, []).append(value.removeprefix(" "))
    if "data" not in fields:
        return None
    kind, event_id = fields.get("event", ["message"]), fields.get("id")
    return ServerEvent(kind[-1], event_id[-1] if event_id else None, "\n".join(fields["data"]))
