"""In the service a compensation goes on after a crash, and one that is stuck waits for a person."""

from typing import Any

from steplog_contracts import events as ev
from steplog_contracts.commands import CancelExecution, ResumeExecution, RetryExecution
from steplog_contracts.payload import JsonObject
from tests.executor.support import people_steps
from tests.executor.support.fakes import settle
from tests.executor.support.partition_harness import Owning, linear

ONCE = {"retry": {"max_attempts": 1}}


def undoing(*classes: str, **compensate: Any) -> JsonObject:
    """Return a row of steps that are undone when the last one fails."""
    definition = linear(*classes) | {"on_failure": "compensate"}
    for step in definition["steps"][:-1]:
        step["compensate"] = {
            "module": people_steps.__name__,
            "step_class": compensate.get(step["id"], "Quick"),
            **ONCE,
        }
    return definition


async def test_completed_steps_are_undone_before_it_fails() -> None:
    owning = await Owning().begin()
    await owning.run_definition("e-1", undoing("Quick", "Quick", "Failing"))
    undone = [e.step_id for e in owning.history("e-1") if isinstance(e, ev.StepCompensated)]

    assert undone == ["s2", "s1"]
    assert owning.kinds("e-1")[-1] == "ExecutionFailed"


async def test_a_crash_while_a_step_is_undone_goes_on_with_it() -> None:
    people_steps.Held.reset()
    owning = await Owning().begin()
    await owning.run_definition("e-1", undoing("Quick", "Quick", "Failing", s2="Held"))
    before = owning.kinds("e-1")[-1]
    after = await owning.restarted()
    people_steps.Held.release.set()
    await settle()
    undone = [e.step_id for e in after.history("e-1") if isinstance(e, ev.StepCompensated)]

    assert before == "StepCompensationStarted"
    assert undone == ["s2", "s1"]
    assert after.kinds("e-1")[-1] == "ExecutionFailed"


async def test_a_stuck_one_is_parked_and_tried_again_when_it_is_resumed() -> None:
    owning = await Owning().begin()
    await owning.run_definition("e-1", undoing("Quick", "Failing", s1="Failing"))
    after = await owning.restarted()
    stuck = after.kinds("e-1")[-1]
    await after.send(ResumeExecution(execution_id="e-1"))
    failed = [e for e in after.history("e-1") if isinstance(e, ev.StepCompensationFailed)]

    assert stuck == "StepCompensationFailed"
    assert len(failed) == 2
    assert after.refusals() == []


async def test_a_cancel_gives_a_stuck_one_up() -> None:
    owning = await Owning().begin()
    await owning.run_definition("e-1", undoing("Quick", "Failing", s1="Failing"))
    await owning.cancel("e-1")

    assert owning.kinds("e-1")[-1] == "ExecutionFailed"


async def test_a_cancel_undoes_if_asked() -> None:
    owning = await Owning().begin()
    await owning.run_definition("e-1", undoing("Quick", "Ask", "Quick"))
    await owning.send(CancelExecution(execution_id="e-1", reason="no", compensate=True))

    assert owning.kinds("e-1")[-4:] == [
        "StepCancelled",
        "StepCompensationStarted",
        "StepCompensated",
        "ExecutionCancelled",
    ]


async def test_a_retry_runs_again_what_was_undone() -> None:
    owning = await Owning().begin()
    await owning.run_definition("e-1", undoing("Quick", "Quick", "Failing"))
    await owning.send(RetryExecution(execution_id="e-2", origin_execution_id="e-1"))
    await settle()

    assert owning.kinds("e-2")[:3] == ["ExecutionStarted", "StepStarted", "StepCompleted"]
    assert owning.kinds("e-2").count("StepCompleted") == 2
