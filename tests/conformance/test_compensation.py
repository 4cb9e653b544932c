"""An execution that is being undone reads as such in both stores, with every attempt."""

from datetime import timedelta

from steplog_contracts import events
from tests.conformance.stores import ReadModelUnderTest, parsed
from tests.tracker.histories import AN_ERROR, BEGINNING, History, Log


def undoing() -> Log:
    """Return the log of an execution whose one completed step is undone at the second try."""
    log, history = Log(), History()
    facts: list[events.Event] = [
        events.StepStarted(step_id="b"),
        events.StepFailed(step_id="b", error=AN_ERROR),
        events.ExecutionCompensating(error=AN_ERROR),
        events.StepCompensationStarted(step_id="a"),
        events.StepCompensationFailed(step_id="a", error=AN_ERROR, retry_at=BEGINNING),
        events.StepCompensationStarted(step_id="a", attempt=2),
        events.StepCompensated(step_id="a", attempt=2, output={"undone": True}),
        events.ExecutionFailed(error=AN_ERROR),
    ]
    log.append([history.started(), *history.step("a")])
    log.append([history.record(fact) for fact in facts])
    return log


async def test_its_status_is_compensating_until_it_ends(rows: ReadModelUnderTest) -> None:
    entries = undoing().entries
    await rows.receives(entries[:-1])
    meanwhile = (await rows.execution())["status"]
    await rows.receives(entries[-1:])

    assert (meanwhile, (await rows.execution())["status"]) == ("compensating", "failed")


async def test_each_attempt_has_a_row_and_the_step_stays_completed(
    rows: ReadModelUnderTest,
) -> None:
    await rows.receives(undoing().entries)
    undone = [parsed(row) for row in await rows.model.compensations("e-1")]

    assert [row["error_info"] is None for row in undone] == [False, True]
    assert [step["status"] for step in await rows.steps()] == ["completed", "failed"]


async def test_the_past_knows_that_it_was_being_undone(rows: ReadModelUnderTest) -> None:
    await rows.receives(undoing().entries)
    then = await rows.model.past.execution("e-1", BEGINNING + timedelta(milliseconds=8))

    assert then is not None
    assert then["status"] == "compensating"
