"""An answer over HTTP is held to its question before it is sent: its form, and whom it is for."""

import json
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest

from steplog_contracts import events
from steplog_contracts.commands import ResumeExecution
from tests.conformance.stores import TOPIC, sqlite_read_model
from tests.tracker.commands_kept import CommandsKept
from tests.tracker.histories import History, Log
from tracker_service.access.policy import Policy
from tracker_service.access.roles import Caller, Role
from tracker_service.access.tokens import Keyring, token_line
from tracker_service.api_server.app import make_app
from tracker_service.http_api.context import Protection
from tracker_service.http_api.human_answers import check_answer_to

FORM = {"properties": {"verdict": {"enum": ["publish", "rework"]}}, "required": ["verdict"]}
FITS = {"human_input": {"verdict": "publish"}}
BOTH_PATHS = pytest.mark.parametrize(
    "path", ["/api/executions/e-1/resume", "/api/hitl/q-1/respond"]
)


@pytest.fixture
def kept() -> CommandsKept:
    """Return a log of commands."""
    return CommandsKept()


@pytest.fixture
async def api(tmp_path: Path, kept: CommandsKept) -> AsyncIterator[httpx.AsyncClient]:
    """Return a client over an execution that asks Ann, and callers with names."""
    callers = (("ann", Role.OPERATOR), ("bob", Role.OPERATOR), ("root", Role.ADMIN),
               ("eve", Role.VIEWER))  # fmt: skip
    keyring = Keyring(";".join(token_line(f"token-of-{n}", n, role) for n, role in callers))
    async with sqlite_read_model(tmp_path / "rows.db") as rows:
        log, history = Log(), History("e-1")
        asked = events.StepWaiting(
            step_id="ask", interaction_id="q-1", ui_schema=FORM, assigned_users=["ann"]
        )
        log.append([history.started(), history.record(events.StepStarted(step_id="ask"))])
        log.append(history.record(asked))
        await rows.receives(log.entries)
        app = make_app(
            rows.model, TOPIC, commands=kept, protection=Protection(policy=Policy(keyring))
        )
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://api") as client:
            yield client


def by(name: str) -> Mapping[str, str]:
    """Return the headers of a caller."""
    return {"Authorization": f"Bearer token-of-{name}"}


@BOTH_PATHS
@pytest.mark.parametrize(
    ("name", "status"), [("ann", 202), ("root", 202), ("bob", 403), ("eve", 403)]
)
async def test_a_question_is_answered_by_whom_it_is_for(
    api: httpx.AsyncClient, kept: CommandsKept, path: str, name: str, status: int
) -> None:
    answer = await api.post(path, json=FITS, headers=by(name))

    assert answer.status_code == status
    assert len(kept.sent) == (status == 202)


async def test_an_admin_answers_for_anyone_and_says_so(
    api: httpx.AsyncClient, kept: CommandsKept
) -> None:
    for name in ("ann", "root"):
        await api.post("/api/executions/e-1/resume", json=FITS, headers=by(name))

    sent = [command for _, command in kept.sent if isinstance(command, ResumeExecution)]
    assert [(one.requested_by, one.any_assignee) for one in sent] == [
        ("ann", False),
        ("root", True),
    ]


@BOTH_PATHS
@pytest.mark.parametrize("given", [{}, {"verdict": "maybe"}, {"verdict": ""}, [], None, 7])
async def test_an_answer_that_breaks_the_form_is_refused(
    api: httpx.AsyncClient, kept: CommandsKept, path: str, given: Any
) -> None:
    answer = await api.post(path, json={"human_input": given}, headers=by("ann"))

    assert (answer.status_code, answer.json()["code"]) == (409, "answer_refused")
    assert "step 'ask'" in answer.json()["detail"]
    assert kept.sent == []


async def test_an_answer_that_is_left_out_is_no_answer(
    api: httpx.AsyncClient, kept: CommandsKept
) -> None:
    answer = await api.post("/api/executions/e-1/resume", json={}, headers=by("ann"))

    assert answer.status_code == 422
    assert kept.sent == []


async def test_what_the_rows_do_not_show_yet_is_left_to_the_executor(
    api: httpx.AsyncClient, kept: CommandsKept
) -> None:
    body = {"human_input": {"verdict": "maybe"}, "step_id": "next"}

    answer = await api.post("/api/executions/e-1/resume", json=body, headers=by("bob"))

    assert answer.status_code == 202
    assert len(kept.sent) == 1


@pytest.mark.parametrize("keyword", ["allOf", "anyOf"])
async def test_a_form_that_could_never_be_checked_is_left_to_the_executor(keyword: str) -> None:
    """2^40 ways down, of which native code would try each."""
    levels = {f"d{n}": {keyword: [{"$ref": f"#/$defs/d{n + 1}"}] * 2} for n in range(40)}
    form = {"$defs": {**levels, "d40": {}}, "properties": {"x": {"$ref": "#/$defs/d0"}}}
    question = {"step_id": "ask", "assigned_users": None, "ui_schema": json.dumps(form).encode()}
    caller = Caller("ann", Role.OPERATOR)

    check_answer_to(question, caller, {"x": 1})
