"""Server-sent events are read however the wire cuts them."""

from collections.abc import AsyncIterator

from hypothesis import given
from hypothesis import strategies as st

from steplog.client.sse import ServerEvent, server_events

EVENTS = [
    ServerEvent("execution", "0:7", '{"error":"two\u2028lines, one\x85event"}'),
    ServerEvent("message", None, "first\nsecond"),
    ServerEvent("end", "0:9", "{}"),
]


def wire(events: list[ServerEvent]) -> bytes:
    """Write events as an API does, with a comment before each."""
    text = ""
    for event in events:
        text += ": still here\n\n"
        text += f"event: {event.kind}\n" if event.kind != "message" else ""
        text += f"id: {event.event_id}\n" if event.event_id else ""
        text += "".join(f"data: {line}\n" for line in event.data.split("\n")) + "\n"
    return text.encode()


async def cut(data: bytes, sizes: list[int]) -> AsyncIterator[bytes]:
    """Yield the data in pieces of these sizes, then what is left."""
    for size in sizes:
        yield data[:size]
        data = data[size:]
    yield data


@given(st.lists(st.integers(0, 40)))
async def test_events_are_the_same_wherever_the_wire_is_cut(sizes: list[int]) -> None:
    assert [event async for event in server_events(cut(wire(EVENTS), sizes))] == EVENTS


async def test_an_event_that_is_not_whole_is_not_told() -> None:
    broken = wire(EVENTS)[:-1]

    assert [event async for event in server_events(cut(broken, []))] == EVENTS[:-1]
