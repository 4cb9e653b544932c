"""An execution is watched over a stream, which is taken up again, or by asking."""

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from steplog.client.read_api import ReadApi
from steplog.client.watch import ExecutionView, glimpses
from steplog.errors import NotFound, ServiceUnreachable
from tests.steplog.client.test_read_api import EXECUTION


def step(name: str, status: str, seq: int) -> dict[str, Any]:
    """Return a visit as streams tell it."""
    return {"step_execution_id": f"e-1:{name}:1", "step_id": name, "step_name": name,
            "step_type": "task", "status": status, "seq": seq}  # fmt: skip


def told(event_id: str, status: str, *steps: dict[str, Any]) -> bytes:
    """Return an event about the execution."""
    body = json.dumps({"execution": EXECUTION | {"status": status}, "steps": steps})
    return f"event: execution\nid: {event_id}\ndata: {body}\n\n".encode()


class Line(httpx.AsyncByteStream):
    """What one connection brings before it ends, or breaks."""

    def __init__(self, *events: bytes, breaks: bool = False) -> None:
        self._events, self._breaks = events, breaks

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for event in self._events:
            yield event
        if self._breaks:
            raise httpx.ReadError("reset by peer")


class Streaming(httpx.AsyncBaseTransport):
    """Gives one line after the other; what is asked beside streams is answered from a script."""

    def __init__(self, *lines: Line, statuses: tuple[str, ...] = ()) -> None:
        self._lines, self._statuses = iter(lines), iter(statuses)
        self.came_back_with: list[str | None] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Answer."""
        if request.url.path.endswith("/stream"):
            self.came_back_with.append(request.headers.get("Last-Event-ID"))
            line = next(self._lines, None)
            if line is None:
                return httpx.Response(503, json={"detail": "2000 streams are open."})
            return httpx.Response(
                200, headers={"Content-Type": "text/event-stream; charset=utf-8"}, stream=line
            )
        if request.url.path.endswith("/steps"):
            return httpx.Response(200, json={"items": [], "freshness": {}})
        status = next(self._statuses, None)
        if status is None:
            return httpx.Response(404, json={"detail": "There is no execution e-1 in the rows."})
        body = {"execution": EXECUTION | {"status": status}, "freshness": {}}
        return httpx.Response(200, json=body)


async def watched(transport: httpx.AsyncBaseTransport) -> list[ExecutionView]:
    """Watch to the end."""
    read = ReadApi("http://steplog", transport=transport)
    return [glimpse async for glimpse in glimpses(read, "e-1", look_again_s=0.001)]


async def test_steps_that_changed_are_laid_over_those_told_before() -> None:
    line = Line(
        told("0:3", "running", step("mix", "running", 2)),
        told("0:5", "running", step("mix", "completed", 2), step("oven", "running", 4)),
        told("0:9", "completed", step("oven", "completed", 4)),
    )

    seen = await watched(Streaming(line))

    assert [[step.status.value for step in glimpse.steps] for glimpse in seen] == [
        ["running"], ["completed", "running"], ["completed", "completed"],
    ]  # fmt: skip
    assert seen[-1].ended


async def test_a_line_that_breaks_is_taken_up_where_it_broke() -> None:
    transport = Streaming(
        Line(told("0:3", "running", step("mix", "running", 2)), breaks=True),
        Line(told("0:9", "completed", step("mix", "completed", 2))),
    )

    seen = await watched(transport)

    assert transport.came_back_with == [None, "0:3"]
    assert [glimpse.execution.status.value for glimpse in seen] == ["running", "completed"]


async def test_without_a_free_stream_the_api_is_asked() -> None:
    seen = await watched(Streaming(statuses=("running", "running", "failed")))

    assert [glimpse.execution.status.value for glimpse in seen] == ["running", "failed"]


async def test_what_is_not_there_is_told_by_asking() -> None:
    with pytest.raises(NotFound, match="no execution e-1"):
        await watched(Streaming())


async def test_what_is_not_there_is_waited_for_only_where_it_was_just_asked_for() -> None:
    class Counting(httpx.AsyncBaseTransport):
        asked = 0

        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            self.asked += 1
            return httpx.Response(404, json={"detail": "There is no execution e-1 in the rows."})

    transport = Counting()
    read = ReadApi("http://steplog", transport=transport)

    with pytest.raises(NotFound):
        await anext(glimpses(read, "e-1"))
    at_once = transport.asked
    with pytest.raises(NotFound):
        await anext(glimpses(read, "e-1", just_sent=True))

    assert (at_once, transport.asked > 20) == (1, True)


async def test_an_api_that_is_away_is_named() -> None:
    class Away(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            raise httpx.ConnectError("refused")

    with pytest.raises(ServiceUnreachable, match="http://steplog"):
        await watched(Away())
