"""The paths of dashboards made for the library before steplog: same names, same records."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from steplog_contracts import events
from steplog_contracts.commands import CancelExecution, ResumeExecution, RunPipeline
from steplog_contracts.records import ExecutionRecord, InteractionRecord, StepRecord
from tests.conformance.stores import TOPIC, sqlite_read_model
from tests.tracker.commands_kept import CommandsKept
from tests.tracker.histories import AN_ERROR, History, Log
from tracker_service.api_server.app import make_app

OLD_EXECUTION_KEYS = list(ExecutionRecord.model_fields)[:14]
OLD_STEP_KEYS = list(StepRecord.model_fields)[:14]


@pytest.fixture
def kept() -> CommandsKept:
    """Return a log of commands."""
    return CommandsKept()


@pytest.fixture
async def api(tmp_path: Path, kept: CommandsKept) -> AsyncIterator[httpx.AsyncClient]:
    """Return a client over one failed execution and one that waits at its second step of four."""
    async with sqlite_read_model(tmp_path / "rows.db") as rows:
        log, failed, waiting = Log(), History("e-1"), History("e-2")
        log.append([failed.started(), *failed.step()])
        log.append(failed.record(events.ExecutionFailed(error=AN_ERROR, duration_ms=2.0)))
        log.append([waiting.started(total_steps=4), *waiting.step("a")])
        log.append(waiting.record(events.StepStarted(step_id="ask")))
        asked = events.StepWaiting(step_id="ask", interaction_id="q-1", prompt="Go on?")
        log.append(waiting.record(asked))
        await rows.receives(log.entries)
        transport = httpx.ASGITransport(app=make_app(rows.model, TOPIC, commands=kept))
        async with httpx.AsyncClient(transport=transport, base_url="http://api") as client:
            yield client


async def test_a_job_is_the_record_with_the_old_names_beside_it(api: httpx.AsyncClient) -> None:
    job = (await api.get("/api/execute/e-1")).json()

    assert list(job)[:14] == OLD_EXECUTION_KEYS
    assert (job["job_id"], job["error"], job["progress"]) == ("e-1", "bad value", 1.0)
    assert (job["status"], job["current_step"]) == ("failed", None)
    assert [list(step)[:14] for step in job["steps"]] == [OLD_STEP_KEYS]


async def test_progress_is_the_share_of_steps_done(api: httpx.AsyncClient) -> None:
    job = (await api.get("/api/execute/e-2")).json()

    assert (job["progress"], job["current_step"]) == (0.25, "ask")


async def test_jobs_come_as_a_bare_list_without_steps(api: httpx.AsyncClient) -> None:
    jobs = (await api.get("/api/execute", params={"limit": 10})).json()

    assert [job["job_id"] for job in jobs] == ["e-2", "e-1"]
    assert "steps" not in jobs[0]


@pytest.mark.parametrize("body", [{"city": "Oslo"}, {"input_data": {"city": "Oslo"}}])
async def test_a_job_is_started_by_its_pipelines_name(
    api: httpx.AsyncClient, kept: CommandsKept, body: dict[str, object]
) -> None:
    answer = await api.post("/api/execute/weather", json=body)

    ((_, command),) = kept.sent
    assert isinstance(command, RunPipeline)
    assert (command.pipeline, command.input) == ("weather", {"city": "Oslo"})
    assert (answer.status_code, answer.json()) == (
        202,
        {"job_id": command.execution_id, "status": "pending"},
    )


async def test_a_job_is_cancelled_by_deleting_it(
    api: httpx.AsyncClient, kept: CommandsKept
) -> None:
    answer = await api.delete("/api/execute/e-2")

    assert (answer.status_code, answer.json()["job_id"]) == (202, "e-2")
    assert isinstance(kept.sent[0][1], CancelExecution)


async def test_questions_are_listed_read_and_answered(
    api: httpx.AsyncClient, kept: CommandsKept
) -> None:
    (pending,) = (await api.get("/api/hitl/pending")).json()
    one = (await api.get("/api/hitl/q-1")).json()
    given = {"human_input": {"ok": True}, "responded_by": "ann"}
    answer = await api.post("/api/hitl/q-1/respond", json=given)

    ((_, command),) = kept.sent
    assert list(pending)[:14] == list(InteractionRecord.model_fields)[:14]
    assert pending == one
    assert answer.json() == {"interaction_id": "q-1", "status": "accepted"}
    assert isinstance(command, ResumeExecution)
    assert (command.execution_id, command.step_id, command.requested_by) == ("e-2", "ask", "ann")
    assert command.human_input == {"ok": True}


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/execute/nobody"),
        ("GET", "/api/hitl/nothing"),
        ("POST", "/api/hitl/nothing/respond"),
    ],
)
async def test_what_is_not_there_has_a_detail(
    api: httpx.AsyncClient, method: str, path: str
) -> None:
    answer = await api.request(method, path, json={} if method == "POST" else None)

    assert answer.status_code == 404
    assert answer.json()["detail"].endswith(".")


@pytest.mark.parametrize("body", ['{"a": 1e999}', '{"a": ' + "[" * 300 + "]" * 300 + "}"])
async def test_a_body_that_no_reader_takes_is_a_problem(
    api: httpx.AsyncClient, kept: CommandsKept, body: str
) -> None:
    headers = {"content-type": "application/json"}

    answer = await api.post("/api/execute/weather", content=body, headers=headers)

    assert answer.status_code == 422
    assert kept.sent == []
