"""What a running step said of itself is in its record, now and as of any moment, in both stores."""

from datetime import datetime, timedelta

from steplog_contracts import events
from tests.conformance.stores import ReadModelUnderTest, parsed
from tests.tracker.histories import AN_ERROR, BEGINNING, History, Log


def beating() -> Log:
    """Return the log of a step that says 1, then 2, fails, and whose next attempt says nothing."""
    log, history = Log(), History()
    facts: list[events.Event] = [
        events.StepStarted(step_id="a", input={}),
        events.StepProgressed(step_id="a", progress={"rows": 1}),
        events.StepProgressed(step_id="a", progress={"rows": 2}),
        events.StepAttemptFailed(step_id="a", error=AN_ERROR, retry_at=BEGINNING, progress=3),
        events.StepStarted(step_id="a", attempt=2),
    ]
    log.append([history.started(), *(history.record(fact) for fact in facts)])
    return log


async def test_the_newest_heartbeat_is_in_the_steps_record(rows: ReadModelUnderTest) -> None:
    await rows.receives(beating().entries[:4])

    assert (await rows.steps())[0]["last_heartbeat"] == {"rows": 2}


async def test_a_failed_attempt_brings_its_own(rows: ReadModelUnderTest) -> None:
    await rows.receives(beating().entries)

    step = (await rows.steps())[0]
    assert (step["last_heartbeat"], step["attempt"], step["status"]) == (3, 2, "running")


async def test_a_redelivered_heartbeat_changes_nothing(rows: ReadModelUnderTest) -> None:
    log = beating()
    await rows.receives(log.entries)
    before = await rows.steps()

    await rows.worker().apply(0, log.entries)

    assert await rows.steps() == before


async def test_the_past_knows_the_heartbeat_of_that_time(rows: ReadModelUnderTest) -> None:
    await rows.receives(beating().entries)
    # The history's events are a millisecond apart.
    said = [await _said_as_of(rows, BEGINNING + timedelta(milliseconds=n)) for n in (2, 3, 4, 9)]

    assert said == [None, {"rows": 1}, {"rows": 2}, 3]


async def _said_as_of(rows: ReadModelUnderTest, moment: datetime) -> object:
    (step,) = await rows.model.past.steps("e-1", moment)
    return parsed(step)["last_heartbeat"]
