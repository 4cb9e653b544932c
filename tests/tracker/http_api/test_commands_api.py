"""Commands over HTTP: what is put into the log, and how a caller learns of it."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from steplog_contracts import commands
from steplog_contracts.partitioning import partition_of
from tests.conformance.stores import TOPIC, ReadModelUnderTest, sqlite_read_model
from tests.tracker.commands_kept import CommandsKept
from tests.tracker.histories import History, Log, refused
from tracker_service.api_server.app import make_app

RUN = {"pipeline": "weather", "input": {"city": "Oslo"}}


@pytest.fixture
async def rows(tmp_path: Path) -> AsyncIterator[ReadModelUnderTest]:
    """Return an empty read model."""
    async with sqlite_read_model(tmp_path / "rows.db") as under_test:
        yield under_test


@pytest.fixture
def kept() -> CommandsKept:
    """Return a log of commands."""
    return CommandsKept()


@pytest.fixture
async def api(rows: ReadModelUnderTest, kept: CommandsKept) -> AsyncIterator[httpx.AsyncClient]:
    """Return a client of an API that takes commands."""
    transport = httpx.ASGITransport(app=make_app(rows.model, TOPIC, commands=kept))
    async with httpx.AsyncClient(transport=transport, base_url="http://api") as client:
        yield client


async def test_a_run_is_accepted_and_says_where_to_look(
    api: httpx.AsyncClient, kept: CommandsKept
) -> None:
    answer = await api.post("/api/executions", json=RUN)

    ((command_id, command),) = kept.sent
    assert isinstance(command, commands.RunPipeline)
    assert (command.pipeline, command.input) == ("weather", {"city": "Oslo"})
    assert answer.status_code == 202
    assert answer.headers["location"] == f"/api/executions/{command.execution_id}"
    assert (answer.json()["command_id"], answer.json()["status"]) == (command_id, "accepted")


@pytest.mark.parametrize(
    ("action", "body", "kind"),
    [
        ("cancel", {"reason": "enough"}, commands.CancelExecution),
        ("cancel", None, commands.CancelExecution),
        ("resume", {"human_input": {"ok": True}, "step_id": "ask"}, commands.ResumeExecution),
        ("retry", None, commands.RetryExecution),
        ("fork", {"from_step": "a", "input_patch": {"n": 2}}, commands.ForkExecution),
    ],
)
async def test_each_action_is_a_command(
    api: httpx.AsyncClient, kept: CommandsKept, action: str, body: object, kind: type
) -> None:
    answer = await api.post(f"/api/executions/e-1/{action}", json=body)

    ((_, command),) = kept.sent
    assert (answer.status_code, type(command)) == (202, kind)
    for name, value in (body or {}).items():  # type: ignore[attr-defined]
        assert getattr(command, name) == value


@pytest.mark.parametrize("action", ["retry", "fork"])
async def test_what_begins_anew_lies_in_the_partition_of_its_origin(
    api: httpx.AsyncClient, kept: CommandsKept, action: str
) -> None:
    await api.post(
        f"/api/executions/e-1/{action}", json={"from_step": "a"} if action == "fork" else {}
    )

    ((_, command),) = kept.sent
    assert command.execution_id != "e-1"
    assert partition_of(command.execution_id, 8) == partition_of("e-1", 8)


@pytest.mark.parametrize("path", ["/api/executions", "/api/executions/e-1/retry"])
async def test_an_idempotency_key_makes_the_same_command(
    api: httpx.AsyncClient, kept: CommandsKept, path: str
) -> None:
    body = RUN if path == "/api/executions" else {}
    for key in ("k-1", "k-1", "k-2"):
        await api.post(path, json=body, headers={"Idempotency-Key": key})

    ids = [(command_id, command.execution_id) for command_id, command in kept.sent]
    assert ids[0] == ids[1]
    assert not set(ids[0]) & set(ids[2])


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/api/executions", {}),
        ("/api/executions", {"pipeline": "a", "definition": {}}),
        ("/api/executions", {**RUN, "execution_id": "../x"}),
        ("/api/executions", {**RUN, "not_before": "2026-01-01T00:00:00"}),
        ("/api/executions", {**RUN, "unknown": 1}),
        ("/api/executions", [1]),
        ("/api/executions/e-1/fork", {}),
        ("/api/executions/e-1/fork", {"from_step": "a", "iteration": 0}),
        ("/api/executions/e%201/cancel", {}),
        (f"/api/executions/{'x' * 201}/cancel", {}),
    ],
)
async def test_a_command_that_cannot_be_made_is_a_problem(
    api: httpx.AsyncClient, kept: CommandsKept, path: str, body: object
) -> None:
    answer = await api.post(path, json=body)

    assert (answer.status_code, kept.sent) == (422, [])
    assert answer.headers["content-type"] == "application/problem+json"


async def test_a_command_the_log_would_not_take_is_too_large(
    api: httpx.AsyncClient, kept: CommandsKept
) -> None:
    answer = await api.post("/api/executions", json={**RUN, "input": "x" * 995_000})

    assert (answer.status_code, kept.sent) == (413, [])


async def test_a_log_that_is_away_is_a_problem_to_try_again(
    api: httpx.AsyncClient, kept: CommandsKept
) -> None:
    kept.away = True

    answer = await api.post("/api/executions", json=RUN)

    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")


async def test_an_api_without_a_log_takes_no_commands(rows: ReadModelUnderTest) -> None:
    transport = httpx.ASGITransport(app=make_app(rows.model, TOPIC))
    async with httpx.AsyncClient(transport=transport, base_url="http://api") as api:
        answer = await api.post("/api/executions", json=RUN)

    assert answer.status_code == 503


async def test_an_outcome_that_is_waited_for_is_told(
    api: httpx.AsyncClient, kept: CommandsKept, rows: ReadModelUnderTest
) -> None:
    keyed = {"headers": {"Idempotency-Key": "k"}, "json": RUN}
    await api.post("/api/executions", **keyed)  # type: ignore[arg-type]
    ((command_id, command),) = kept.sent
    log = Log()
    log.append(History(command.execution_id).started(cause=command_id))
    await rows.receives(log.entries)

    answer = await api.post("/api/executions?timeout_ms=5000", **keyed)  # type: ignore[arg-type]

    assert (answer.status_code, answer.json()["status"]) == (202, "applied")


async def test_a_refusal_that_is_waited_for_is_a_conflict(
    api: httpx.AsyncClient, kept: CommandsKept, rows: ReadModelUnderTest
) -> None:
    keyed = {"Idempotency-Key": "k"}
    await api.post("/api/executions/e-1/cancel", headers=keyed)
    log = Log()
    log.append(refused(kept.sent[0][0]))
    await rows.receives(log.entries)

    answer = await api.post("/api/executions/e-1/cancel?timeout_ms=5000", headers=keyed)

    assert (answer.status_code, answer.json()["code"]) == (409, "bad_definition")


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999"])
@pytest.mark.parametrize("field", ["input", "parameters", "metadata"])
async def test_a_number_that_json_has_not_is_refused_at_once(
    api: httpx.AsyncClient, kept: CommandsKept, field: str, number: str
) -> None:
    body = f'{{"pipeline": "weather", "{field}": {{"x": [{number}]}}}}'

    answer = await api.post(
        "/api/executions", content=body, headers={"content-type": "application/json"}
    )

    assert answer.status_code == 422
    assert kept.sent == []


@pytest.mark.parametrize("levels", [150, 2_000, 50_000])
async def test_a_body_of_many_brackets_is_refused_at_once(
    api: httpx.AsyncClient, kept: CommandsKept, levels: int
) -> None:
    body = f'{{"pipeline": "weather", "input": {"[" * levels}{"]" * levels}}}'

    answer = await api.post(
        "/api/executions", content=body, headers={"content-type": "application/json"}
    )

    assert answer.status_code in (400, 422)
    assert kept.sent == []
