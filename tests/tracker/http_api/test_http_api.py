"""The HTTP API over real rows in SQLite; the same questions run on PostgreSQL end to end."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from tests.conformance.stores import TOPIC, ReadModelUnderTest, sqlite_read_model
from tests.tracker.histories import BEGINNING, History, Log, refused
from tracker_service.api_server.app import make_app
from tracker_service.store.pruning import prune_in_batches


@pytest.fixture
async def rows(tmp_path: Path) -> AsyncIterator[ReadModelUnderTest]:
    """Return a read model with one ended and one running execution."""
    async with sqlite_read_model(tmp_path / "rows.db") as under_test:
        log = Log()
        log.append([*History("e-1").whole(steps=2), History("e-2").started(cause="run-2")])
        log.append(refused("run-3"))
        await under_test.receives(log.entries)
        await under_test.store.observe_ends(TOPIC, {0: len(log.entries)})
        yield under_test


@pytest.fixture
async def api(rows: ReadModelUnderTest) -> AsyncIterator[httpx.AsyncClient]:
    """Return a client of the API."""
    transport = httpx.ASGITransport(app=make_app(rows.model, TOPIC))
    async with httpx.AsyncClient(transport=transport, base_url="http://api") as client:
        yield client


async def test_a_list_comes_in_pages_with_freshness(api: httpx.AsyncClient) -> None:
    first = await api.get("/api/executions", params={"limit": 1})
    cursor = first.json()["next_cursor"]
    second = await api.get("/api/executions", params={"limit": 1, "cursor": cursor})

    assert [item["execution_id"] for item in first.json()["items"]] == ["e-2"]
    assert [item["execution_id"] for item in second.json()["items"]] == ["e-1"]
    assert second.json()["next_cursor"] is None
    assert first.json()["freshness"]["tracker"] == "fresh"
    assert first.headers["steplog-position"] == "0:8"
    assert first.headers["steplog-gap"] == "0"


async def test_a_list_filters_by_status_and_pipeline(api: httpx.AsyncClient) -> None:
    running = await api.get("/api/executions", params={"status": "running"})
    nothing = await api.get("/api/executions", params={"pipeline_id": "other"})

    assert [item["execution_id"] for item in running.json()["items"]] == ["e-2"]
    assert nothing.json()["items"] == []


async def test_an_execution_has_the_published_keys_first(api: httpx.AsyncClient) -> None:
    execution = (await api.get("/api/executions/e-1")).json()["execution"]

    assert list(execution)[:14] == [
        "execution_id",
        "pipeline_id",
        "pipeline_name",
        "status",
        "started_at",
        "completed_at",
        "total_steps",
        "completed_steps",
        "failed_steps",
        "input_data",
        "output_data",
        "error_message",
        "execution_time_ms",
        "metadata",
    ]
    assert execution["started_at"] == "2026-01-01T00:00:00.001000+00:00"


async def test_steps_come_in_the_order_they_began(api: httpx.AsyncClient) -> None:
    steps = (await api.get("/api/executions/e-1/steps")).json()["items"]

    assert [step["step_id"] for step in steps] == ["s0", "s1"]
    assert steps[0]["output_data"] == {"m": 2}


@pytest.mark.parametrize("path", ["/api/executions/nobody", "/api/executions/nobody/steps"])
async def test_what_is_not_there_is_a_problem(api: httpx.AsyncClient, path: str) -> None:
    answer = await api.get(path)

    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["detail"] == (
        "There is no execution nobody. It may not have begun yet, or belong to another log or "
        "file; `steplog ls` lists those there are."
    )


async def test_a_pruned_execution_is_told_with_the_way_back(
    api: httpx.AsyncClient, rows: ReadModelUnderTest
) -> None:
    async for _ in prune_in_batches(rows.store, BEGINNING + timedelta(days=1)):
        pass

    answers = [await api.get(f"/api/executions/e-1{part}") for part in ("", "/steps")]

    assert [answer.status_code for answer in answers] == [404, 404]
    for answer in answers:
        assert "may have been pruned, as those that ended before 2026-01-02T" in answer.text
        assert "`steplog rebuild` brings them back" in answer.text


@pytest.mark.parametrize(
    "query",
    ["limit=0", "limit=9999", "status=odd", "cursor=%00", "cursor=bm8=", "limit=x"],
)
async def test_a_bad_question_is_a_problem_with_a_sentence(
    api: httpx.AsyncClient, query: str
) -> None:
    answer = await api.get(f"/api/executions?{query}")

    assert answer.status_code == 422
    assert answer.json()["detail"].endswith(".")


async def test_a_wait_ends_at_once_for_what_is_applied(api: httpx.AsyncClient) -> None:
    by_command = await api.get("/api/executions/e-2", params={"wait_for": "run-2"})
    by_offset = await api.get("/api/executions/e-2", params={"at_least": "0:7"})

    assert by_command.json()["freshness"]["satisfied"] is True
    assert by_offset.json()["freshness"]["satisfied"] is True


async def test_a_wait_is_bounded_and_says_that_it_was_in_vain(api: httpx.AsyncClient) -> None:
    answer = await api.get("/api/executions/e-2", params={"at_least": "0:8", "timeout_ms": 30})

    assert answer.status_code == 200
    assert answer.json()["freshness"]["satisfied"] is False


async def test_a_command_is_applied_refused_or_unknown(api: httpx.AsyncClient) -> None:
    applied = (await api.get("/api/commands/run-2")).json()
    bad = (await api.get("/api/commands/run-3")).json()
    unknown = (await api.get("/api/commands/run-9")).json()

    assert (applied["status"], applied["execution_id"]) == ("applied", "e-2")
    assert (bad["status"], bad["code"], bad["message"]) == (
        "refused",
        "bad_definition",
        "No steps.",
    )
    assert unknown["status"] == "unknown"


async def test_health_and_metrics_tell_the_gap_by_partition(
    api: httpx.AsyncClient, rows: ReadModelUnderTest
) -> None:
    await rows.store.observe_ends(TOPIC, {0: 11})

    ready, metrics = await api.get("/readyz"), await api.get("/metrics")
    by_partition = (await api.get("/api/freshness")).json()["partitions"]

    assert (ready.status_code, ready.json()["tracker"]) == (200, "behind")
    assert 'steplog_tracker_gap_events{partition="0"} 3.0' in metrics.text
    assert (by_partition[0]["gap"], by_partition[0]["next_offset"]) == (3, 8)


async def test_a_database_that_is_away_is_a_problem_to_try_again(
    api: httpx.AsyncClient, rows: ReadModelUnderTest
) -> None:
    await rows.model.close()

    healthy, answer = await api.get("/healthz"), await api.get("/readyz")

    assert healthy.status_code == 200
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")


async def test_the_api_describes_itself(api: httpx.AsyncClient) -> None:
    paths = (await api.get("/openapi.json")).json()["paths"]

    assert {"/api/executions", "/api/commands/{command_id}", "/readyz"} <= set(paths)


async def test_the_reference_shows_each_operation_and_runs_nothing(api: httpx.AsyncClient) -> None:
    page = await api.get("/docs")

    assert "GET /api/executions/{execution_id}/graph" in page.text
    assert "<script" not in page.text
