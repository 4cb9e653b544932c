"""Questions about the past and about recorded events over HTTP, on real rows and a small log."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from steplog_contracts import events
from tests.conformance.stores import TOPIC, ReadModelUnderTest, sqlite_read_model
from tests.tracker.histories import History, Log, claim
from tests.verification.past_world import EntriesLog
from tracker_service.api_server.app import make_app
from tracker_service.store.sql import as_of_executions

# Histories are one event a millisecond from here on.
T = "2026-01-01T00:00:00.{:03}Z"


def a_log() -> Log:
    """One execution that ended after 6 ms, one that asked a person, and a stale append."""
    log = Log()
    log.append(claim(owner="first"))
    log.append(claim(owner="second"))
    ended = History("e-1", epoch=1)
    log.append([ended.started(), *ended.step("a")])
    stale = History("e-1", epoch=0, seq=3)
    log.append(stale.record(events.ExecutionFailed(error=an_error())))
    log.append([*ended.step("b"), ended.completed({"done": True})])
    asking = History("e-2", epoch=1)
    log.append([asking.started(), asking.record(events.StepStarted(step_id="ask"))])
    log.append(asking.record(events.StepWaiting(step_id="ask", interaction_id="q", prompt="Well?")))
    log.append(
        asking.record(events.StepResumed(step_id="ask", interaction_id="q", human_input="yes"))
    )
    return log


def an_error() -> events.ErrorInfo:
    return events.ErrorInfo(type="E", message="late")


@pytest.fixture
async def rows(tmp_path: Path) -> AsyncIterator[ReadModelUnderTest]:
    """Return rows made from the log."""
    async with sqlite_read_model(tmp_path / "rows.db") as under_test:
        await under_test.receives(a_log().entries)
        yield under_test


def client(rows: ReadModelUnderTest, log: EntriesLog | None) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app=make_app(rows.model, TOPIC, log))
    return httpx.AsyncClient(transport=transport, base_url="http://api")


@pytest.fixture
async def api(rows: ReadModelUnderTest) -> AsyncIterator[httpx.AsyncClient]:
    """Return a client of an API with rows and log."""
    async with client(rows, EntriesLog([a_log().entries])) as one:
        yield one


@pytest.fixture
async def without_log(rows: ReadModelUnderTest) -> AsyncIterator[httpx.AsyncClient]:
    """Return a client of an API whose log lost its beginning."""
    async with client(rows, EntriesLog([a_log().entries], begins=5)) as one:
        yield one


async def test_a_list_tells_how_executions_stood(api: httpx.AsyncClient) -> None:
    answer = (await api.get("/api/executions", params={"as_of": T.format(3)})).json()

    stood = {row["execution_id"]: row for row in answer["items"]}
    assert {name: row["status"] for name, row in stood.items()} == {
        "e-1": "running",
        "e-2": "waiting_for_human",
    }
    assert (stood["e-1"]["completed_steps"], stood["e-1"]["output_data"]) == (1, None)
    assert "position" not in stood["e-1"]
    assert answer["past"]["told_from"] == "rows"


async def test_a_list_about_the_past_filters_and_pages(api: httpx.AsyncClient) -> None:
    asked = {"as_of": T.format(3), "limit": 1}
    first = (await api.get("/api/executions", params=asked)).json()
    following = {**asked, "cursor": first["next_cursor"]}
    second = (await api.get("/api/executions", params=following)).json()
    waiting = await api.get("/api/executions", params={**asked, "status": "waiting_for_human"})

    found = [page["items"][0]["execution_id"] for page in (first, second)]
    assert (found, second["next_cursor"]) == (["e-2", "e-1"], None)
    assert [row["execution_id"] for row in waiting.json()["items"]] == ["e-2"]


async def test_a_page_by_status_goes_on_where_it_stopped_looking(
    api: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(as_of_executions, "SCAN_ROWS", 1)
    asked = {"as_of": T.format(3), "status": "running"}

    first = (await api.get("/api/executions", params=asked)).json()
    following = {**asked, "cursor": first["next_cursor"]}
    second = (await api.get("/api/executions", params=following)).json()

    assert first["items"] == []
    assert [row["execution_id"] for row in second["items"]] == ["e-1"]


async def test_counts_are_those_of_the_moment(api: httpx.AsyncClient) -> None:
    then = (await api.get("/api/counts", params={"as_of": T.format(3)})).json()["counts"]
    now = (await api.get("/api/counts")).json()["counts"]

    assert then == {"running": 1, "waiting_for_human": 1}
    assert now == {"completed": 1, "running": 1}


async def test_one_execution_is_told_with_its_steps_and_questions(api: httpx.AsyncClient) -> None:
    answer = (await api.get("/api/executions/e-2", params={"as_of": T.format(3)})).json()

    assert answer["past"]["told_from"] == "log"
    assert (answer["execution"]["status"], answer["execution"]["seq"]) == ("waiting_for_human", 3)
    assert [step["status"] for step in answer["steps"]] == ["waiting_for_human"]
    assert [(q["status"], q["human_input"]) for q in answer["interactions"]] == [("pending", None)]


async def test_a_place_in_the_history_is_told_exactly(api: httpx.AsyncClient) -> None:
    """The stale failure has the same number as the event that counts, and counts for nothing."""
    answer = (await api.get("/api/executions/e-1", params={"at_seq": 4})).json()
    steps = (await api.get("/api/executions/e-1/steps", params={"at_seq": 4})).json()["items"]

    execution = answer["execution"]
    assert (execution["status"], execution["seq"], execution["current_step"]) == ("running", 4, "b")
    assert [(step["step_id"], step["status"]) for step in steps] == [
        ("a", "completed"),
        ("b", "running"),
    ]


async def test_what_retention_removed_is_told_from_the_rows(without_log: httpx.AsyncClient) -> None:
    answer = (await without_log.get("/api/executions/e-2", params={"as_of": T.format(3)})).json()
    gone = (await without_log.get("/api/executions/e-1", params={"as_of": T.format(4)})).json()
    place = await without_log.get("/api/executions/e-1", params={"at_seq": 4})
    recorded = await without_log.get("/api/executions/e-1/events")

    assert answer["past"]["told_from"] == "log"
    assert gone["past"]["told_from"] == "rows"
    assert "retention removed" in gone["past"]["note"]
    assert [step["status"] for step in gone["steps"]] == ["completed", "running"]
    assert (place.status_code, recorded.status_code) == (410, 410)


@pytest.mark.parametrize("as_of", ["yesterday", "2026-01-01T00:00:00", "2999-01-01T00:00:00Z"])
@pytest.mark.parametrize("path", ["/api/executions", "/api/counts", "/api/executions/e-1"])
async def test_a_moment_that_is_none_or_to_come_is_refused(
    api: httpx.AsyncClient, path: str, as_of: str
) -> None:
    answer = await api.get(path, params={"as_of": as_of})

    assert answer.status_code == 422
    assert answer.json()["detail"].startswith("as_of ")


async def test_a_moment_before_everything_is_answered_honestly(api: httpx.AsyncClient) -> None:
    before = {"as_of": "2020-01-01T00:00:00Z"}
    listed = (await api.get("/api/executions", params=before)).json()
    one = await api.get("/api/executions/e-1", params=before)

    assert listed["items"] == []
    assert "the oldest began at 2026-01-01" in listed["past"]["note"]
    assert (one.status_code, "had not begun then" in one.json()["detail"]) == (404, True)


@pytest.mark.parametrize(
    ("query", "status", "says"),
    [
        ("at_seq=99", 404, "has 6 events"),
        ("at_seq=0", 422, "at_seq"),
        (f"at_seq=1&as_of={T.format(3)}", 422, "exclude each other"),
    ],
)
async def test_a_place_that_is_not_there_is_a_problem(
    api: httpx.AsyncClient, query: str, status: int, says: str
) -> None:
    answer = await api.get(f"/api/executions/e-1?{query}")

    assert answer.status_code == status
    assert says in answer.json()["detail"]


async def test_events_come_as_recorded_and_in_pages(api: httpx.AsyncClient) -> None:
    first = (await api.get("/api/executions/e-1/events", params={"limit": 4})).json()
    following = {"limit": 4, "cursor": first["next_cursor"]}
    second = (await api.get("/api/executions/e-1/events", params=following)).json()

    items = [*first["items"], *second["items"]]
    assert [event["seq"] for event in items] == [1, 2, 3, 4, 5, 6]
    assert (items[0]["type"], items[0]["epoch"], items[0]["offset"]) == (
        "steplog.execution.started.v1", 1, 2,
    )  # fmt: skip
    assert items[2]["data"]["output"] == {"m": 2}
    assert second["next_cursor"] is None


async def test_stale_events_are_shown_on_demand(api: httpx.AsyncClient) -> None:
    shown = (await api.get("/api/executions/e-1/events", params={"stale": True})).json()["items"]

    assert [event["seq"] for event in shown if event.get("stale")] == [4]


async def test_an_execution_without_a_row_is_searched_and_said_so(
    api: httpx.AsyncClient, rows: ReadModelUnderTest
) -> None:
    await rows.store.database.run(  # type: ignore[attr-defined]
        lambda connection: connection.execute("DELETE FROM pipeline_executions")
    )

    found = (await api.get("/api/executions/e-2/events")).json()
    nobody = await api.get("/api/executions/nobody/events")

    assert ([event["seq"] for event in found["items"]], found["searched"]["in_rows"]) == (
        [1, 2, 3, 4],
        False,
    )
    assert (nobody.status_code, "neither in the rows nor" in nobody.json()["detail"]) == (404, True)


async def test_events_that_cannot_be_decoded_say_why(rows: ReadModelUnderTest) -> None:
    log = a_log()
    history = History("e-2", epoch=1, seq=4)
    spoiled = history.record(events.StepCompleted(step_id="ask"))._replace(value=b"{\xff")
    log.append(spoiled)
    async with client(rows, EntriesLog([log.entries])) as api:
        last = (await api.get("/api/executions/e-2/events")).json()["items"][-1]

    assert (last["seq"], last["data"], last["problem"]["code"]) == (5, None, "bad_json")
    assert last["raw"] == "{\\xff"


@pytest.mark.parametrize("query", ["cursor=x", "cursor=bnVsbA==", "limit=0", "after_seq=-1"])
async def test_a_bad_question_about_events_is_a_problem(api: httpx.AsyncClient, query: str) -> None:
    assert (await api.get(f"/api/executions/e-1/events?{query}")).status_code == 422


async def test_an_api_without_a_log_says_so(rows: ReadModelUnderTest) -> None:
    async with client(rows, None) as api:
        recorded = await api.get("/api/executions/e-1/events")
        then = (await api.get("/api/executions/e-1", params={"as_of": T.format(4)})).json()

    assert recorded.status_code == 503
    assert "does not read the log" in then["past"]["note"]
