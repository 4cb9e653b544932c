"""A log from before the first release becomes today's rows, and can be asked about as any other."""

import pytest

from tests.conformance.stores import ReadModelUnderTest
from tests.contracts.old_log import old_log
from tests.verification.past_world import EntriesLog
from tracker_service.history.as_of import When, stood
from tracker_service.history.event_pages import EventQuestion, page_of_events


@pytest.fixture
async def old_rows(rows: ReadModelUnderTest) -> ReadModelUnderTest:
    """Return rows made from the old log."""
    await rows.receives(old_log())
    return rows


async def test_it_becomes_todays_rows(old_rows: ReadModelUnderTest) -> None:
    completed, failed = await old_rows.execution("old-1"), await old_rows.execution("old-2")

    assert (completed["status"], completed["completed_steps"], completed["seq"]) == (
        "completed", 2, 8,
    )  # fmt: skip
    assert (completed["pipeline_id"], completed["version"]) == ("linear", "0.3")
    assert completed["input_data"] == {"city": "Žilina", "n": 1.5}
    assert completed["metadata"] == {"team": "north"}
    assert (completed["total_steps"], completed["incomplete"]) == (2, False)
    assert (failed["status"], failed["failed_steps"]) == ("failed", 1)
    assert (await old_rows.execution("old-3"))["current_step"] == "s2"


async def test_steps_have_results_and_durations_of_old(old_rows: ReadModelUnderTest) -> None:
    first, second = await old_rows.steps("old-1")
    (failed,) = await old_rows.steps("old-2")

    assert first["output_data"] == {"s1": "done", "exact": 12345678901234567890}
    assert (first["execution_time_ms"], second["execution_time_ms"]) == (123.4, 1000.0)
    assert (second["attempt"], second["output_data"]) == (2, None)
    assert failed["error_message"] == "no such luck"
    assert await old_rows.model.dead_letter_count() == 0


async def test_it_can_be_asked_how_it_stood(old_rows: ReadModelUnderTest) -> None:
    row = await old_rows.model.execution("old-1")
    assert row is not None

    told = await stood(EntriesLog([old_log()]), old_rows.model.past, row, When(at_seq=3))

    assert [(step["step_id"], step["status"]) for step in told.steps] == [("s1", "completed")]


async def test_its_events_are_shown_as_today_with_what_they_were(
    old_rows: ReadModelUnderTest,
) -> None:
    row = await old_rows.model.execution("old-2")

    page = await page_of_events(
        EntriesLog([old_log()]), row, EventQuestion("old-2"), max_records=100
    )

    failed = page.events[2]
    assert failed["type"] == "steplog.step.failed.v1"
    assert failed["recorded_type"] == "steplog.step.failed.v0"
    assert b'"message":"no such luck"' in bytes(failed["data"])
