"""What an execution hides, its children, forks and items hide, whatever it is called there."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

from steplog_contracts import events
from tests.conformance.stores import TOPIC, sqlite_read_model
from tests.tracker.histories import History, Log
from tests.tracker.serving import serving
from tests.verification.past_world import EntriesLog
from tracker_service.api_server.app import make_app
from tracker_service.http_api.masking import EVERYTHING, mask_of

CANARY: Final = "canary-7f3a9c"
ITEM_CANARY: Final = "itemcanary-31"
CHILD_CANARY: Final = "childcanary-5"
ERROR: Final = events.ErrorInfo(type="ValueError", message=f"{CANARY} {ITEM_CANARY}")
INNER: Final[dict[str, Any]] = {"name": "inner", "secrets": ["token"], "steps": []}
PARENT: Final[dict[str, Any]] = {
    "name": "parent",
    "secrets": ["password"],
    "steps": [{"id": "ask", "type": "pipeline", "definition": INNER}, {"id": "each"}],
}
OPEN: Final[dict[str, Any]] = {"name": "open", "steps": []}


def relatives() -> Log:
    """Return a parent with a map, its child, a fork of the parent and the child's child."""
    parent, log = History("parent"), Log()
    log.append(
        [
            parent.started(definition=PARENT, input={"password": CANARY}, total_steps=2),
            *parent.step("ask", output={"token": CHILD_CANARY}),
            parent.record(events.StepStarted(step_id="each", item_count=1)),
            parent.record(events.StepStarted(step_id="each[0]", input={"item": 1})),
            parent.record(events.StepProgressed(step_id="each[0]", progress={"at": CANARY})),
            parent.record(
                events.StepCompleted(step_id="each[0]", output={"password": ITEM_CANARY})
            ),
            parent.record(events.StepFailed(step_id="each", error=ERROR)),
            parent.record(events.ExecutionCompensating(error=ERROR, reason=CANARY)),
            parent.record(events.StepCompensationStarted(step_id="ask")),
            parent.record(events.StepCompensationFailed(step_id="ask", error=ERROR)),
        ]
    )
    origin = events.Origin(execution_id="parent", kind="fork", from_step="ask", at_seq=2)
    for given in (
        {"execution_id": "child", "parent_execution_id": "parent"},
        {"execution_id": "grandchild", "parent_execution_id": "child"},
        {"execution_id": "fork", "origin": origin},
    ):
        one = History(given.pop("execution_id"))
        log.append(one.started(definition=OPEN, input={"pw": CANARY, "kept": "plain"}, **given))
        log.append(one.completed({"said": f"it is {CANARY}"}))
    return log


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    """Return a client of an API over them."""
    log = relatives()
    async with sqlite_read_model(tmp_path / "rows.db") as rows:
        await rows.receives(log.entries)
        app = make_app(rows.model, TOPIC, log=EntriesLog([log.entries]))
        async with serving(app) as url, httpx.AsyncClient(base_url=url, trust_env=False) as client:
            yield client


@pytest.mark.parametrize("execution_id", ["parent", "child", "grandchild", "fork"])
async def test_no_answer_shows_what_a_relative_hides(
    api: httpx.AsyncClient, execution_id: str
) -> None:
    one = f"/api/executions/{execution_id}"
    places = (one, f"{one}/steps", f"{one}/events", f"{one}/timeline", f"{one}/items?step=each")
    answers = [
        await api.get(place)
        for place in (*places, "/api/executions", f"/executions/{execution_id}")
    ]

    assert [answer.text for answer in answers if "canary-" in answer.text] == []
    if execution_id != "parent":
        assert answers[0].json()["execution"]["input_data"] == {"pw": "***", "kept": "plain"}


@pytest.mark.parametrize("inner", [{"secrets": "all"}, {"secrets": [1]}])
def test_an_inner_definition_whose_secrets_can_not_be_read_masks_everything(inner: Any) -> None:
    definition = {"name": "p", "steps": [{"id": "a", "definition": inner}]}

    assert mask_of(json.dumps(definition).encode()) is EVERYTHING
