"""Why an execution stands where it stands: each cause named, with what a person can do."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from steplog_contracts import events
from tests.conformance.stores import TOPIC, sqlite_read_model
from tests.tracker.histories import AN_ERROR, BEGINNING, History, Log
from tracker_service.api_server.app import make_app
from tracker_service.http_api.reasons import Standing, reasons
from tracker_service.store.freshness import Freshness, PartitionFreshness

Why = Callable[..., Awaitable[list[dict[str, Any]]]]
LATER = BEGINNING + timedelta(days=40_000)
LOOKED_AT = PartitionFreshness(0, 1, 1, None, LATER, None)


@pytest.fixture
def why(tmp_path: Path) -> Why:
    """Return what asks why, of the first of some executions given as lists of events."""

    async def ask(*executions: list[Any], first: str = "e-1") -> list[dict[str, Any]]:
        log = Log()
        for number, told in enumerate(executions, 1):
            history = History(f"e-{number}")
            log.append([history.started(), *(history.record(event) for event in told)])
        async with sqlite_read_model(tmp_path / "rows.db") as rows:
            await rows.receives(log.entries)
            transport = httpx.ASGITransport(app=make_app(rows.model, TOPIC))
            async with httpx.AsyncClient(transport=transport, base_url="http://api") as client:
                answer = await client.get(f"/api/executions/{first}/why")
        assert answer.status_code == 200, answer.text
        found: list[dict[str, Any]] = answer.json()["reasons"]
        return found

    return ask


STARTED = events.StepStarted(step_id="a")
ASKED = events.StepWaiting(step_id="a", interaction_id="q", prompt="Bake it?", expires_at=LATER)
TRIED = events.StepAttemptFailed(step_id="a", error=AN_ERROR, retry_at=LATER)
CHILD = events.StepChildStarted(step_id="a", child_execution_id="e-2")


@pytest.mark.parametrize(
    ("told", "code", "saying", "remedy"),
    [
        ([], "not_begun", "No step of it has begun", "slot is free"),
        (
            [STARTED, ASKED],
            "waits_for_person",
            "'a' waits for a person: Bake it?",
            "steplog resume",
        ),
        ([STARTED, TRIED], "waits_for_next_attempt", "Attempt 1 of step 'a' failed: ", None),
        (
            [STARTED, TRIED.model_copy(update={"retry_at": BEGINNING})],
            "next_attempt_due",
            "The next one is due",
            "an executor runs",
        ),
        (
            [events.StepScheduled(step_id="a", due_at=LATER)],
            "waits_for_time",
            "'a' waits for its time",
            "steplog events",
        ),
        ([STARTED, CHILD], "waits_for_child", "waits for execution e-2", "steplog why e-2"),
        ([STARTED], "step_runs_long", "Step 'a' runs for", "timeout_seconds"),
        (
            [STARTED, events.StepCompleted(step_id="a")],
            "between_steps",
            "next step has not begun",
            "executor",
        ),
        (
            [STARTED, events.ExecutionFailed(error=AN_ERROR)],
            "failed",
            "It failed: ",
            "steplog retry e-1",
        ),
        (
            [events.ExecutionCancelled(reason="no")],
            "cancelled",
            "It was cancelled",
            "steplog retry",
        ),
        ([events.ExecutionCompleted()], "completed", "waits for nothing", None),
    ],
)
async def test_each_cause_is_named_with_its_remedy(
    why: Why, told: list[Any], code: str, saying: str, remedy: str | None
) -> None:
    reason = (await why(told))[0]

    assert reason["code"] == code
    assert saying in reason["sentence"]
    assert (remedy or "") in (reason["remedy"] or "")
    assert (remedy is None) == (reason["remedy"] is None)


async def test_people_come_before_what_runs(why: Why) -> None:
    found = await why(
        [events.StepStarted(step_id="b"), STARTED, ASKED, events.StepStarted(step_id="c")]
    )

    assert [reason["step_id"] for reason in found] == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("partition", "code"),
    [
        (replace(LOOKED_AT, observed_at=BEGINNING), "tracker_away"),
        (replace(LOOKED_AT, end_offset=4), "rows_behind"),
        (replace(LOOKED_AT, lost_reason="3 are gone."), "log_lost"),
    ],
)
def test_rows_that_may_be_old_say_so_first(partition: PartitionFreshness, code: str) -> None:
    row = {"execution_id": "e-1", "status": "completed", "incomplete": True}
    found = reasons(Standing(row, [], [], [], [], {}, Freshness(LATER, [partition])))

    assert [one["code"] for one in found] == [code, "completed", "event_set_aside"]
    assert all(one["sentence"].endswith(".") for one in found)
