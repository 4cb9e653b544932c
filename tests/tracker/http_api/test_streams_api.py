"""Streams over a real connection: pushed as rows commit, taken up again, bounded."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from steplog_contracts.envelope import Record
from tests.conformance.stores import TOPIC, ReadModelUnderTest, sqlite_read_model
from tests.tracker.histories import History, Log
from tests.tracker.serving import serving, stream
from tracker_service.api_server.app import make_app
from tracker_service.http_api.live import subscribers
from tracker_service.http_api.live.change_feed import ChangeFeed
from tracker_service.http_api.live.subscribers import OneListener
from tracker_service.store.queries import ExecutionFilter


class Told:
    """A read model, its API on a port, and a log that is appended to."""

    def __init__(self, rows: ReadModelUnderTest, app: FastAPI, url: str) -> None:
        self.rows, self.app, self.url = rows, app, url
        self.log = Log()

    async def append(self, *records: Record) -> None:
        """Apply records to the rows."""
        await self.rows.receives(self.log.append(list(records)))


@pytest.fixture
async def told(tmp_path: Path) -> AsyncIterator[Told]:
    """Return an API over empty rows."""
    async with sqlite_read_model(tmp_path / "rows.db") as rows:
        app = make_app(rows.model, TOPIC)
        async with serving(app) as url:
            yield Told(rows, app, url)


async def test_an_execution_is_told_step_by_step_until_it_ends(told: Told) -> None:
    history = History()
    await told.append(history.started(total_steps=2), *history.step("a"))
    async with stream(told.url, "/api/executions/e-1/stream") as events:
        _, first_id, first = await events.next()
        await told.append(*history.step("b"))
        _, _, second = await events.until("execution")
        await told.append(history.completed({"done": True}))
        end = await events.until("end")

        assert (first_id, [step["step_id"] for step in first["steps"]]) == ("0:2", ["a"])
        assert [step["step_id"] for step in second["steps"]] == ["b"]
        assert end[1] == "0:5"
        with pytest.raises(EOFError):
            await events.next()


async def test_who_comes_back_is_told_what_changed_meanwhile(told: Told) -> None:
    history = History()
    await told.append(history.started(), *history.step("a"))
    async with stream(told.url, "/api/executions/e-1/stream", last_id="0:0") as events:
        _, missed_id, missed = await events.next()
    async with stream(told.url, "/api/executions/e-1/stream", last_id=missed_id) as events:
        await told.append(*history.step("b"))
        _, _, newer = await events.next()

    assert [step["step_id"] for step in missed["steps"]] == ["a"]
    assert [step["step_id"] for step in newer["steps"]][-1] == "b"


async def test_a_list_is_told_of_what_begins_changes_and_leaves(told: Told) -> None:
    history = History()
    async with stream(told.url, "/api/executions/stream?status=running") as events:
        assert (await events.next())[0] == "hello"
        await told.append(history.started())
        begun = await events.until("executions")
        await told.append(*history.step(), history.completed())
        left = await events.until("executions")

    assert [item["execution_id"] for item in begun[2]["items"]] == ["e-1"]
    assert (left[2]["items"], left[2]["gone"]) == ([], ["e-1"])


async def test_a_list_goes_on_from_the_position_it_was_read_at(told: Told) -> None:
    await told.append(*History("old").whole())
    async with httpx.AsyncClient(base_url=told.url, trust_env=False) as api:
        position = (await api.get("/api/executions")).headers["steplog-position"]
    await told.append(*History("new").whole())

    async with stream(told.url, f"/api/executions/stream?after={position}") as events:
        _, event_id, body = await events.until("executions")

    assert [item["execution_id"] for item in body["items"]] == ["new"]
    assert event_id == "0:8"


async def test_a_place_too_long_ago_means_reading_anew(
    told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tracker_service.store.sql.changes.CHANGED_ROWS", 1)
    monkeypatch.setattr("tracker_service.store.sql.read_model.CHANGED_ROWS", 1)
    await told.append(*History("a").whole(), *History("b").whole())

    async with stream(told.url, "/api/executions/stream", last_id="0:0") as events:
        event = await events.until("reset")

    assert event[1] == "0:8"


@pytest.mark.parametrize("last_id", ["x", "0:", "0:1;1:2"])
async def test_a_place_that_is_none_is_refused(told: Told, last_id: str) -> None:
    async with stream(told.url, "/api/executions/stream", last_id) as events:
        assert events.response.status_code == 422


async def test_streams_beyond_the_bound_are_told_to_come_back(told: Told) -> None:
    parts = told.app.state.parts
    parts.feed = ChangeFeed(told.rows.model, TOPIC, parts.masks, max_listeners=1)
    async with (
        stream(told.url, "/api/executions/stream") as first,
        stream(told.url, "/api/executions/stream") as second,
    ):
        assert (await first.next())[0] == "hello"
        assert second.response.status_code == 503
        assert second.response.headers["retry-after"] == "1"


async def test_a_thousand_idle_streams_cost_one_look_and_are_all_told(told: Told) -> None:
    """Listeners without connections: what a connection adds is the server's, not ours."""
    feed = told.app.state.parts.feed
    many = [subscribers.ListListener(_everything(), f"caller {n % 10}") for n in range(1_000)]
    for listener in many:
        feed.join(listener, {0: 0})

    async with stream(told.url, "/api/executions/stream") as events:
        await events.next()
        await told.append(*History().whole())
        await events.until("executions")

    assert all([b"e-1" in (await listener.next() or b"") for listener in many])


async def test_a_slow_listener_is_dropped_and_nobody_else(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(subscribers, "QUEUE_EVENTS", 2)
    slow = subscribers.Listener()

    for number in range(3):
        slow.tell("x", f"0:{number}", {})

    assert slow.ended
    assert [await slow.next() for _ in range(3)][2] is None


async def test_streams_end_when_the_server_stops(told: Told) -> None:
    async with stream(told.url, "/api/executions/stream") as events:
        await events.next()
        await told.app.state.parts.feed.close()

        with pytest.raises(EOFError):
            await events.next()


async def test_a_stream_of_nobody_is_not_found(told: Told) -> None:
    async with stream(told.url, "/api/executions/nobody/stream") as events:
        assert events.response.status_code == 404


def _everything() -> ExecutionFilter:
    return ExecutionFilter()


async def test_a_step_read_later_than_its_execution_is_told_all_the_same() -> None:
    """The row was read before a commit and the steps after it: nothing may be lost between."""
    listener = OneListener("e-1", last_id="0:2")
    step = {"step_execution_id": "x", "status": "running", "attempt": 1}
    step |= {"started_at": None, "completed_at": None}
    execution = {"status": "running", "incomplete": False}

    listener.told({**execution, "position": "0:2"}, [step])
    listener.told({**execution, "position": "0:4"}, [step])

    assert b'"steps":[{"step_execution_id":"x"' in (await listener.next() or b"")
