"""What the API answers about executions: filters, counts, histories, statistics, secrets."""

import itertools
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from steplog_contracts import events
from steplog_contracts.payload import sha256_of
from tests.conformance.stores import TOPIC, ReadModelUnderTest, sqlite_read_model
from tests.tracker.histories import AN_ERROR, BEGINNING, History, Log
from tracker_service.api_server.app import make_app

DEFINITION = {
    "name": "p",
    "secrets": ["password", "card.number"],
    "steps": [
        {"id": "a", "name": "First", "step_class": "A"},
        {"id": "b"},
        {"id": "c"},
        {"id": "d", "type": "condition", "condition": {"x": 1}, "then": "end", "else": ["b"]},
    ],
    "flow": {
        "start_at": "a",
        "paths": [
            {"from_step": "a", "to_step": "b"},
            {"from": "a", "to": "c", "condition": {"operator": "gt"}},
            {"from_step": "b", "to_step": "end"},
        ],
    },
}
HASH = sha256_of(DEFINITION)


def told(log: Log) -> None:
    """One execution that failed after a retry and a wait, with a fork; one that completed."""
    first = History("e-1")
    secret = {"user": "u", "password": "hunter2", "card": {"number": 4111, "year": 27}}
    log.append(
        first.started(
            definition=DEFINITION,
            definition_hash=sha256_of(DEFINITION),
            input=secret,
            total_steps=4,
        )
    )
    log.append(first.record(events.StepStarted(step_id="a", step_name="First", input=secret)))
    retry = events.StepAttemptFailed(step_id="a", error=AN_ERROR, retry_at=BEGINNING)
    log.append(first.record(retry))
    log.append(first.record(events.StepCompleted(step_id="a", attempt=2, output=[secret])))
    log.append(first.record(events.StepStarted(step_id="b")))
    asked = events.StepWaiting(step_id="b", interaction_id="q-1", prompt="Well?", output=secret)
    log.append(first.record(asked))
    log.append(first.record(events.ExecutionFailed(error=AN_ERROR, duration_ms=9.0)))
    origin = events.Origin(execution_id="e-1", kind="retry", from_step="b", at_seq=4)
    log.append(History("e-2", time=BEGINNING + timedelta(hours=1)).started(origin=origin))
    log.append(History("e-3", time=BEGINNING + timedelta(hours=2)).whole())


@pytest.fixture
async def rows(tmp_path: Path) -> AsyncIterator[ReadModelUnderTest]:
    """Return a read model with the executions above."""
    async with sqlite_read_model(tmp_path / "rows.db") as under_test:
        log = Log()
        told(log)
        await under_test.receives(log.entries)
        yield under_test


@pytest.fixture
async def api(rows: ReadModelUnderTest) -> AsyncIterator[httpx.AsyncClient]:
    """Return a client of the API."""
    transport = httpx.ASGITransport(app=make_app(rows.model, TOPIC))
    async with httpx.AsyncClient(transport=transport, base_url="http://api") as client:
        yield client


async def get(api: httpx.AsyncClient, path: str, **parameters: Any) -> dict[str, Any]:
    """Return the body of an answer that must be well."""
    answer = await api.get(path, params=parameters or None)
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("status=failed&status=running", ["e-2", "e-1"]),
        ("sort=duration&order=asc", ["e-3", "e-1"]),
        ("started_after=2026-01-01T01:00:00Z&started_before=2026-01-01T02:00:00%2B00:00", ["e-2"]),
        ("error=BAD", ["e-1"]),
        ("min_duration_ms=5", ["e-1"]),
        ("waiting=true", []),
        ("metadata.team=x", []),
    ],
)
async def test_a_list_is_narrowed_by_its_query(
    api: httpx.AsyncClient, query: str, expected: list[str]
) -> None:
    items = (await get(api, f"/api/executions?{query}"))["items"]

    assert [item["execution_id"] for item in items] == expected


async def test_a_list_in_another_order_has_pages_too(api: httpx.AsyncClient) -> None:
    first = await get(api, "/api/executions", sort="completed_at", limit=1)
    second = await get(
        api, "/api/executions", sort="completed_at", limit=1, cursor=first["next_cursor"]
    )

    assert [page["items"][0]["execution_id"] for page in (first, second)] == ["e-3", "e-1"]
    assert second["next_cursor"] is None


@pytest.mark.parametrize(
    "query",
    [
        "started_after=yesterday",
        "started_after=2026-01-01T00:00:00",
        "started_after=0001-01-01T00:00:00%2B14:00",
        "min_duration_ms=-1",
        "max_duration_ms=inf",
        "error=" + "x" * 201,
        "pipeline_id=a%00b",
        "metadata.a=" + "x" * 10_001,
        "&".join(f"metadata.k{n}=x" for n in range(11)),
        "sort=steps",
        "order=up",
        "at_least=0",
        "cursor=WyJzdGFydGVkX2F0Il0=",
        "cursor=" + "W" * 1001,
    ],
)
async def test_what_cannot_be_asked_is_a_problem(api: httpx.AsyncClient, query: str) -> None:
    answer = await api.get(f"/api/executions?{query}")

    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"


async def test_a_cursor_of_another_order_is_refused(api: httpx.AsyncClient) -> None:
    cursor = (await get(api, "/api/executions", limit=1))["next_cursor"]

    answer = await api.get("/api/executions", params={"cursor": cursor, "order": "asc"})

    assert (answer.status_code, answer.json()["detail"]) == (
        422,
        "cursor comes from another order; begin again without it.",
    )


async def test_counts_are_exact_while_they_are_small(api: httpx.AsyncClient) -> None:
    counted = await get(api, "/api/counts")
    failed = await get(api, "/api/counts", error="bad")

    assert (counted["total"], counted["exact"], counted["at_least"]) == (3, True, [])
    assert counted["counts"]["running"] == 1
    assert {status for status, n in failed["counts"].items() if n} == {"failed"}


async def test_secrets_are_masked_wherever_payloads_are_shown(api: httpx.AsyncClient) -> None:
    paths = ["", "/steps", "/waits", "/timeline", "/definition", "/attempts", "/graph"]
    shown = [(await api.get(f"/api/executions/e-1{path}")).text for path in paths]
    shown += [(await api.get(path)).text for path in ("/api/executions", "/api/interactions")]

    execution = (await get(api, "/api/executions/e-1"))["execution"]
    masked = {"user": "u", "password": "***", "card": {"number": "***", "year": 27}}
    assert execution["input_data"] == masked
    assert (await get(api, "/api/executions/e-1/steps"))["items"][0]["output_data"] == [masked]
    assert not [text for text in shown if "hunter2" in text or "4111" in text]


async def test_a_graph_shows_the_state_of_each_step_and_the_ways_taken(
    api: httpx.AsyncClient,
) -> None:
    graph = await get(api, "/api/executions/e-1/graph")

    assert [(n["step_id"], n["step_name"], n["state"]) for n in graph["nodes"]] == [
        ("a", "First", "completed"),
        ("b", "b", "cancelled"),
        ("c", "c", "not_reached"),
        ("d", "d", "not_reached"),
    ]
    ways = [(e["index"], e["from_step"], e["to_step"], e["taken"]) for e in graph["edges"]]
    assert ways == [
        (0, "a", "b", True),
        (1, "a", "c", None),
        (2, "b", "end", False),
        (3, "d", "end", False),
        (4, "d", "b", False),
    ]
    assert [e["branch"] for e in graph["edges"]] == [None, None, None, True, False]


async def test_an_execution_without_a_definition_has_the_graph_of_its_visits(
    api: httpx.AsyncClient,
) -> None:
    graph = await get(api, "/api/executions/e-3/graph")

    assert ([node["step_id"] for node in graph["nodes"]], graph["edges"]) == (["s0"], [])


async def test_a_timeline_has_visits_attempts_and_waits(api: httpx.AsyncClient) -> None:
    timeline = await get(api, "/api/executions/e-1/timeline")

    assert [(bar["step_id"], bar["attempt"]) for bar in timeline["visits"]] == [("a", 2), ("b", 1)]
    assert [attempt["error_message"] for attempt in timeline["attempts"]] == ["bad value"]
    assert [wait["prompt"] for wait in timeline["waits"]] == ["Well?"]
    assert [change["status"] for change in timeline["status_changes"]] == ["waiting_for_human"]


async def test_relatives_are_told_in_both_directions(api: httpx.AsyncClient) -> None:
    of_origin = await get(api, "/api/executions/e-1/relatives")
    of_retry = await get(api, "/api/executions/e-2/relatives")

    assert [one["execution_id"] for one in of_origin["retries"]] == ["e-2"]
    assert (of_retry["origin"]["execution_id"], of_retry["fork_step"]) == ("e-1", "b")
    assert of_origin["origin"] is None


async def test_statistics_are_told_for_a_window(api: httpx.AsyncClient) -> None:
    window = {"until": "2026-01-01T03:00:00Z", "window_s": 3 * 3600, "bucket_s": 3600}
    pipelines = await get(api, "/api/statistics/pipelines", **window)
    steps = await get(api, "/api/statistics/steps", **window)

    assert [(i["bucket"], i["failed"], i["failure_share"]) for i in pipelines["items"]] == [
        ("2026-01-01T00:00:00.000000+00:00", 1, 1.0),
        ("2026-01-01T02:00:00.000000+00:00", 0, 0.0),
    ]
    assert [(i["step_id"], i["visits"], i["retries"]) for i in steps["items"]] == [
        ("a", 1, 1),
        ("b", 1, 0),
        ("s0", 1, 0),
    ]
    assert (steps["complete"], steps["looked_at"]) == (True, 2)


async def test_an_unchanged_execution_is_not_sent_again(api: httpx.AsyncClient) -> None:
    first = await api.get("/api/executions/e-1/steps")
    again = await api.get(
        "/api/executions/e-1/steps", headers={"If-None-Match": f'"x", {first.headers["etag"]}'}
    )

    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["steplog-position"] == first.headers["steplog-position"]


async def test_large_answers_are_compressed_when_asked(api: httpx.AsyncClient) -> None:
    large = await api.get("/api/executions", headers={"Accept-Encoding": "gzip"})
    plain = await api.get("/api/executions", headers={"Accept-Encoding": "identity"})

    assert large.headers["content-encoding"] == "gzip"
    assert "content-encoding" not in plain.headers


async def test_a_flow_of_a_thousand_steps_is_drawn(rows: ReadModelUnderTest) -> None:
    """Each way of it may be one of several, which must not make the drawing quadratic."""
    names = [f"s{number}" for number in range(1_000)]
    definition = {
        "name": "long",
        "steps": [{"id": name} for name in names],
        "flow": {
            "start_at": "s0",
            "paths": [
                {"from_step": one, "to_step": other, "condition": {"operator": "gt"}}
                for one, other in itertools.pairwise(names)
            ],
        },
    }
    log, history = Log(), History("long")
    log.append(history.started(definition=definition, definition_hash=sha256_of(definition)))
    for name in names:
        log.append(history.step(name))
    await rows.receives(log.entries, partition=1)
    transport = httpx.ASGITransport(app=make_app(rows.model, TOPIC))
    async with httpx.AsyncClient(transport=transport, base_url="http://api") as api:
        graph = await get(api, "/api/executions/long/graph")

    assert [edge["taken"] for edge in graph["edges"]] == [True] * 999
