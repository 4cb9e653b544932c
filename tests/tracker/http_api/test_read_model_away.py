"""A command that is in the log is accepted, whatever the read model can say of it."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.conformance.stores import TOPIC, ReadModelUnderTest, sqlite_read_model
from tests.tracker.commands_kept import CommandsKept
from tracker_service.api_server.app import make_app
from tracker_service.http_api import command_submission
from tracker_service.store.errors import StoreError

RUN = {"pipeline": "weather"}
COMMANDS = [
    ("/api/executions", RUN),
    ("/api/executions/e-1/cancel", {}),
    ("/api/executions/e-1/retry", {}),
    ("/api/executions/e-1/fork", {"from_step": "a"}),
    ("/api/execute/weather", {}),
]


class Away:
    """A read model that fails, or never answers, from some moment on."""

    def __init__(self, model: Any) -> None:
        self._model = model
        self.error: BaseException | None = None
        self.hangs = False

    def __getattr__(self, name: str) -> Any:
        async def fail(*_: Any, **__: Any) -> Any:
            if self.hangs:
                await asyncio.sleep(3600)
            assert self.error is not None
            raise self.error

        found = getattr(self._model, name)
        return fail if (self.error or self.hangs) and callable(found) else found


@pytest.fixture
async def model(tmp_path: Path) -> AsyncIterator[Away]:
    """Return a read model that can go away."""
    under_test: ReadModelUnderTest
    async with sqlite_read_model(tmp_path / "rows.db") as under_test:
        yield Away(under_test.model)


@pytest.fixture
def kept() -> CommandsKept:
    """Return a log of commands."""
    return CommandsKept()


@pytest.fixture
async def api(model: Away, kept: CommandsKept) -> AsyncIterator[httpx.AsyncClient]:
    """Return a client of an API that takes commands."""
    app = make_app(model, TOPIC, commands=kept)  # type: ignore[arg-type]
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://api") as client:
        yield client


@pytest.mark.parametrize("error", [StoreError("away"), OSError("gone"), TypeError("a fault")])
@pytest.mark.parametrize(("path", "body"), COMMANDS)
async def test_what_is_in_the_log_is_accepted(
    api: httpx.AsyncClient,
    kept: CommandsKept,
    model: Away,
    error: Exception,
    path: str,
    body: dict[str, Any],
) -> None:
    model.error = error

    answer = await api.post(path, json=body, params={"timeout_ms": 50})

    ((command_id, _),) = kept.sent
    assert answer.status_code == 202
    assert answer.headers["Steplog-Command-Id"] == command_id
    assert "Retry-After" not in answer.headers


async def test_an_answer_says_that_nobody_knows_how_fresh_the_rows_are(
    api: httpx.AsyncClient, model: Away
) -> None:
    model.error = StoreError("away")

    told = (await api.post("/api/executions", json=RUN)).json()

    assert (told["status"], told["freshness"]) == ("accepted", None)


async def test_a_read_model_that_hangs_is_waited_for_a_moment(
    api: httpx.AsyncClient, model: Away, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A caller whose own patience ends first would send it again."""
    monkeypatch.setattr(command_submission, "ROWS_TIMEOUT_S", 0.05)
    model.hangs = True

    answer = await api.post("/api/executions", json=RUN)

    assert answer.status_code == 202


async def test_an_answer_to_a_person_is_not_sent_before_its_question_is_read(
    api: httpx.AsyncClient, kept: CommandsKept, model: Away
) -> None:
    model.error = StoreError("away")

    answer = await api.post("/api/executions/e-1/resume", json={"human_input": True})

    assert (answer.status_code, kept.sent) == (503, [])


async def test_what_may_be_in_the_log_is_repeated_with_its_key(
    api: httpx.AsyncClient, kept: CommandsKept
) -> None:
    kept.silent = True
    key = {"Idempotency-Key": "k-1"}
    first = await api.post("/api/executions", json=RUN, headers=key)
    kept.silent = False

    second = await api.post("/api/executions", json=RUN, headers=key)

    assert first.status_code == 503
    assert "with the same Idempotency-Key" in first.json()["detail"]
    assert second.status_code == 202
    assert len({command_id for command_id, _ in kept.sent}) == 1


async def test_without_a_key_nobody_is_told_to_repeat_it(
    api: httpx.AsyncClient, kept: CommandsKept
) -> None:
    kept.silent = True

    answer = await api.post("/api/executions", json=RUN)

    ((command_id, _),) = kept.sent
    assert answer.status_code == 504
    assert "Retry-After" not in answer.headers
    assert f"/api/commands/{command_id}" in answer.json()["detail"]
