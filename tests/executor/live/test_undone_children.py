"""What becomes of child pipelines where their parent is undone."""

from datetime import timedelta
from typing import Any

from steplog_contracts.commands import CancelExecution, ForkExecution
from steplog_contracts.events import Event, StepCompensated
from tests.executor.live.test_children import child_of, parent
from tests.executor.support import people_steps
from tests.executor.support.fakes import settle
from tests.executor.support.partition_harness import Owning, linear

UNDO = {"module": people_steps.__name__, "step_class": "Quick"}


def undoable(*classes: str) -> dict[str, Any]:
    """Return a row of steps whose completed ones can be undone."""
    definition = linear(*classes)
    for step in definition["steps"]:
        step["compensate"] = UNDO
    return definition


def undone(history: list[Event]) -> list[str]:
    """Return the steps that were undone, in order."""
    return [event.step_id for event in history if isinstance(event, StepCompensated)]


async def begun(definition: dict[str, Any]) -> Owning:
    """Return an owner under which e-1 ran the definition as far as it goes."""
    owning = await Owning().begin()
    await owning.run_definition("e-1", definition)
    for _ in range(3):
        await settle()
    return owning


async def test_a_completed_child_is_undone_by_the_class_its_parents_step_names() -> None:
    definition = parent(linear("Quick"), compensate=UNDO) | {"on_failure": "compensate"}
    definition["steps"][1]["step_class"] = "Failing"

    owning = await begun(definition)

    assert undone(owning.history("e-1")) == ["call"]
    assert owning.kinds(child_of("e-1"))[-1] == "ExecutionCompleted"


async def test_a_completed_child_stays_as_it_is_where_the_step_names_none() -> None:
    definition = parent(undoable("Quick")) | {"on_failure": "compensate"}
    definition["steps"][1]["step_class"] = "Failing"

    owning = await begun(definition)

    assert owning.kinds("e-1")[-1] == "ExecutionFailed"
    assert owning.kinds(child_of("e-1"))[-1] == "ExecutionCompleted"


async def test_an_open_child_undoes_what_it_did_where_its_parent_is_cancelled_so() -> None:
    owning = await begun(parent(undoable("Quick", "Ask")))

    await owning.send(CancelExecution(execution_id="e-1", reason="no", compensate=True))
    await settle()

    assert undone(owning.history(child_of("e-1"))) == ["s1"]
    assert owning.kinds(child_of("e-1"))[-1] == "ExecutionCancelled"


async def test_an_open_child_undoes_what_it_did_where_its_parent_fails_and_compensates() -> None:
    definition = parent(undoable("Quick", "Ask")) | {"on_failure": "compensate"}
    definition["steps"][1]["step_class"] = "Failing"
    definition["steps"] += [
        {"id": "begin", "type": "noop"}, {"id": "pause", "type": "wait", "seconds": 5}
    ]  # fmt: skip
    ways = [("begin", "call"), ("begin", "pause"), ("pause", "after")]
    definition["flow"] = {
        "start_at": "begin", "paths": [{"from": one, "to": other} for one, other in ways]
    }  # fmt: skip

    owning = await begun(definition)
    owning.clock.move(timedelta(seconds=6))
    for _ in range(3):
        await settle()

    assert owning.kinds("e-1")[-1] == "ExecutionFailed"
    assert undone(owning.history(child_of("e-1"))) == ["s1"]


async def test_an_open_child_of_a_plain_cancel_is_only_cancelled() -> None:
    owning = await begun(parent(undoable("Quick", "Ask")))

    await owning.cancel("e-1")
    await settle()

    assert undone(owning.history(child_of("e-1"))) == []
    assert owning.kinds(child_of("e-1"))[-1] == "ExecutionCancelled"


async def test_a_fork_over_a_result_that_was_undone_is_refused_by_a_code_of_its_own() -> None:
    owning = await begun(undoable("Quick", "Quick", "Failing") | {"on_failure": "compensate"})

    fork = ForkExecution(execution_id="e-2", origin_execution_id="e-1", from_step="s3")
    await owning.send(fork, "fork")

    assert undone(owning.history("e-1")) == ["s2", "s1"]
    assert owning.refusals() == [("fork", "result_undone")]
