"""In the service, limits in time hold through restarts, waits and a full house."""

from datetime import timedelta
from typing import Any

from steplog_contracts import events as ev
from steplog_contracts.payload import JsonObject
from tests.executor.support.fakes import settle
from tests.executor.support.partition_harness import Owning, linear
from tests.executor.support.people_steps import Held


def limited(*classes: str, **limits: Any) -> JsonObject:
    """Return a row of steps with limits."""
    return linear(*classes) | limits


def ended_with(owning: Owning, execution_id: str = "e-1") -> str:
    """Return the type of the error an execution failed with."""
    end = owning.history(execution_id)[-1]
    assert isinstance(end, ev.ExecutionFailed), end
    return end.error.type


async def test_a_running_step_is_stopped_when_the_time_is_over() -> None:
    owning = await Owning().begin()
    await owning.run_definition("e-1", limited("Forever", timeout_seconds=30))
    owning.clock.move(timedelta(seconds=31))
    await settle()

    assert owning.kinds("e-1")[-2:] == ["StepCancelled", "ExecutionFailed"]
    assert ended_with(owning) == "ExecutionTimedOut"


async def test_the_time_goes_on_while_nobody_owns_the_partition() -> None:
    Held.reset()
    owning = await Owning().begin()
    await owning.run_definition("e-1", limited("Held", "Quick", timeout_seconds=30))
    owning.clock.move(timedelta(seconds=20))
    after = await owning.restarted()
    before = after.kinds("e-1")[-1]
    after.clock.move(timedelta(seconds=11))
    await settle()

    assert before == "StepStarted"
    assert ended_with(after) == "ExecutionTimedOut"


async def test_a_parked_wait_is_ended_by_the_limit() -> None:
    owning = await Owning().begin()
    await owning.run_definition("e-1", limited("Ask", "Quick", timeout_seconds=300))
    after = await owning.restarted()
    after.clock.move(timedelta(seconds=301))
    await settle()

    assert ended_with(after) == "ExecutionTimedOut"


async def test_a_deadline_leads_to_its_step_after_a_restart() -> None:
    definition = limited("Ask", "Quick", deadline={"after": 300, "then": "s2"})
    owning = await Owning().begin()
    await owning.run_definition("e-1", definition)
    after = await owning.restarted()
    after.clock.move(timedelta(seconds=301))
    await settle()

    assert after.kinds("e-1")[-5:] == [
        "ExecutionDeadlinePassed",
        "StepCancelled",
        "StepStarted",
        "StepCompleted",
        "ExecutionCompleted",
    ]


async def test_an_execution_whose_turn_comes_too_late_fails_before_its_first_step() -> None:
    Held.reset()
    owning = await Owning(capacity=1).begin()
    await owning.run("e-0", "Held")
    await owning.run_definition("e-1", limited("Quick", start_within_seconds=10))
    owning.clock.move(timedelta(seconds=11))
    Held.release.set()
    await settle()

    assert owning.kinds("e-1") == ["ExecutionStarted", "ExecutionFailed"]
    assert ended_with(owning) == "StartedTooLate"


async def test_a_run_whose_deadline_is_past_is_refused() -> None:
    owning = await Owning().begin()
    deadline = {"at": "2020-01-01T00:00:00Z"}
    await owning.run_definition("e-1", limited("Quick", deadline=deadline))

    assert owning.kinds("e-1") == []
    assert [code for _, code in owning.refusals()] == ["bad_input"]
