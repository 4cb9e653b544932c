"""Executions that have others run: one child for each attempt, whose end is the step's."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from executor_service.engine.child_plan import MAX_DEPTH, child_id_of
from steplog_contracts.commands import CancelExecution, RetryExecution, RunPipeline
from steplog_contracts.events import (
    Event,
    ExecutionFailed,
    ExecutionStarted,
    StepChildStarted,
    StepCompleted,
    StepFailed,
)
from steplog_contracts.parent_visit import ParentVisit
from tests.executor.support import people_steps
from tests.executor.support.fakes import settle
from tests.executor.support.partition_harness import Owning, linear


def parent(child: Any, **keys: Any) -> dict[str, Any]:
    """Return a definition whose first step has another pipeline run."""
    return {
        "name": "parent",
        "steps": [
            {"id": "call", "type": "pipeline", "definition": child, **keys},
            {"id": "after", "module": people_steps.__name__, "step_class": "Quick"},
        ],
        "flow": {"start_at": "call", "paths": [{"from": "call", "to": "after"}]},
    }


def child_of(execution_id: str, attempt: int = 1) -> str:
    """Return the id of the child that the step `call` begins."""
    return child_id_of(execution_id, "call", 1, attempt)


def ends(history: list[Event], step_id: str = "call") -> list[Event]:
    """Return how a step ended."""
    kinds = (StepCompleted, StepFailed)
    return [event for event in history if isinstance(event, kinds) and event.step_id == step_id]


async def running(child: Any, **keys: Any) -> Owning:
    """Return an owner under which e-1 began a parent."""
    owning = await Owning().begin()
    await owning.run_definition("e-1", parent(child, **keys), input={"n": 1})
    await settle()
    return owning


async def test_a_childs_output_is_its_steps_result() -> None:
    owning = await running(linear("Quick"), input={"given": "{{ pipeline_input.n }}"})

    (end,) = ends(owning.history("e-1"))
    assert isinstance(end, StepCompleted)
    assert end.output == {"given": 1, "s1": "done"}
    assert owning.kinds("e-1")[-1] == "ExecutionCompleted"


async def test_a_child_names_its_parent_and_is_given_its_input() -> None:
    owning = await running(linear("Quick"), input={"given": 7})

    started = owning.history(child_of("e-1"))[0]
    assert isinstance(started, ExecutionStarted)
    assert started.parent_execution_id == "e-1"
    assert started.parent_visit == ParentVisit(step_id="call", depth=1)
    assert started.input == {"given": 7}


async def test_a_child_that_waits_for_room_was_not_refused() -> None:
    """With one slot its command comes while the parent still has it."""
    owning = await Owning(capacity=1).begin()
    await owning.run_definition("e-1", parent(linear("Quick")), input={})
    await settle()

    (end,) = ends(owning.history("e-1"))
    assert isinstance(end, StepCompleted)
    assert owning.kinds("e-1")[-1] == "ExecutionCompleted"


async def test_that_a_child_was_begun_is_on_record() -> None:
    owning = await running(linear("Ask"))

    begun = [e for e in owning.history("e-1") if isinstance(e, StepChildStarted)]
    assert [event.child_execution_id for event in begun] == [child_of("e-1")]
    assert not ends(owning.history("e-1"))


async def test_a_failed_child_fails_the_step_with_its_error() -> None:
    owning = await running(linear("Failing"))

    (end,) = ends(owning.history("e-1"))
    child_end = owning.history(child_of("e-1"))[-1]
    assert isinstance(end, StepFailed)
    assert isinstance(child_end, ExecutionFailed)
    assert (end.error.type, end.error.message) == (child_end.error.type, child_end.error.message)
    assert end.error.step_id == "call"


async def test_a_parent_waits_through_a_restart_for_a_child_that_waits_for_a_person() -> None:
    owning = await running(linear("Ask"))

    after = await owning.restarted()
    await after.resume(child_of("e-1"), ok=True)
    await settle()

    (end,) = ends(after.history("e-1"))
    assert isinstance(end, StepCompleted)
    assert end.output["ok"]
    assert after.kinds("e-1")[-1] == "ExecutionCompleted"


async def test_a_step_that_does_not_wait_goes_on_with_the_childs_id() -> None:
    owning = await running(linear("Ask"), wait=False)

    (end,) = ends(owning.history("e-1"))
    assert isinstance(end, StepCompleted)
    assert end.output == {"execution_id": child_of("e-1")}
    assert owning.kinds(child_of("e-1"))[-1] == "StepWaiting"


async def test_a_cancelled_parent_has_its_child_cancelled() -> None:
    owning = await running(linear("Ask"))

    await owning.cancel("e-1")
    await settle()

    assert owning.kinds("e-1")[-1] == "ExecutionCancelled"
    assert owning.kinds(child_of("e-1"))[-1] == "ExecutionCancelled"


async def test_a_child_may_outlive_its_parent() -> None:
    owning = await running(linear("Ask"), on_parent_end="leave")

    await owning.cancel("e-1")
    await settle()

    assert owning.kinds(child_of("e-1"))[-1] == "StepWaiting"


async def test_a_cancelled_child_fails_its_step() -> None:
    owning = await running(linear("Ask"))

    await owning.send(CancelExecution(execution_id=child_of("e-1")))
    await settle()

    (end,) = ends(owning.history("e-1"))
    assert isinstance(end, StepFailed)
    assert end.error.type == "ChildCancelled"


async def test_a_child_that_takes_too_long_is_called_off() -> None:
    owning = await running(linear("Ask"), error_handling={"timeout_seconds": 5})

    owning.clock.move(timedelta(seconds=6))
    await settle()
    await settle()

    (end,) = ends(owning.history("e-1"))
    assert isinstance(end, StepFailed)
    assert end.error.type == "StepTimedOut"
    assert owning.kinds(child_of("e-1"))[-1] == "ExecutionCancelled"


async def test_another_attempt_has_another_child_run() -> None:
    people_steps.FailsOnce.runs = 0
    owning = await running(
        linear("FailsOnce"), error_handling={"retry": {"initial_delay": 0, "jitter": False}}
    )
    await settle()

    assert owning.kinds(child_of("e-1"))[-1] == "ExecutionFailed"
    assert owning.kinds(child_of("e-1", 2))[-1] == "ExecutionCompleted"
    assert owning.kinds("e-1")[-1] == "ExecutionCompleted"


async def test_a_child_that_is_refused_fails_its_step_with_the_reason() -> None:
    owning = await running(linear("NoSuchStep"))

    (end,) = ends(owning.history("e-1"))
    assert isinstance(end, StepFailed)
    assert end.error.type == "ChildRefused"
    assert "NoSuchStep" in end.error.message


async def test_a_tree_can_only_grow_so_deep() -> None:
    owning = await Owning().begin()
    visit = ParentVisit(step_id="x", depth=MAX_DEPTH, waits=False)
    command = RunPipeline(
        execution_id="e-1", definition=parent(linear("Quick")), parent_visit=visit
    )
    await owning.send(command)
    await settle()

    (end,) = ends(owning.history("e-1"))
    assert isinstance(end, StepFailed)
    assert f"{MAX_DEPTH} is the most" in end.error.message


async def test_a_retry_of_the_parent_takes_over_a_completed_child() -> None:
    people_steps.FailsOnce.runs = 0
    owning = await Owning().begin()
    definition = parent(linear("Quick"))
    definition["steps"][1]["step_class"] = "FailsOnce"
    await owning.run_definition("e-1", definition)
    await settle()
    assert owning.kinds("e-1")[-1] == "ExecutionFailed"

    await owning.send(RetryExecution(execution_id="e-2", origin_execution_id="e-1"))
    await settle()

    assert owning.kinds("e-2")[-1] == "ExecutionCompleted"
    assert owning.history(child_of("e-2")) == []


@pytest.mark.parametrize("kept", range(2, 14))
async def test_a_crash_anywhere_starts_exactly_one_child_and_loses_no_end(kept: int) -> None:
    owning = await running(linear("Quick"))
    owning.events.partitions[0] = owning.events.partitions[0][:kept]
    # What was sent before the last event that is left stands in the topic of commands.
    sent = 1 + bool(len(owning.history("e-1")) > 2) + bool(ends(owning.history("e-1")))
    if owning.history(child_of("e-1")):
        sent = max(sent, 2)
    again = Owning(owning.events, owning.parked, owning.clock, commands=owning.commands[:sent])
    await again.begin()
    for _ in range(4):
        await settle()

    child = child_of("e-1")
    assert again.kinds("e-1")[-1] == "ExecutionCompleted"
    assert again.kinds(child).count("ExecutionStarted") == 1
    assert len(ends(again.history("e-1"))) == 1
    assert len(ends(again.history(child), "s1")) == 1


async def test_a_map_may_have_a_pipeline_run_for_each_item(tmp_path: Path) -> None:
    (tmp_path / "leaf.json").write_text(json.dumps(linear("Quick")))
    owning = await Owning(pipelines=tmp_path).begin()
    mapped = {"id": "call", "type": "map", "items": [7, 8], "pipeline": "leaf"}
    definition = {"name": "p", "steps": [mapped], "flow": {"start_at": "call", "paths": []}}

    await owning.run_definition("e-1", definition)
    for _ in range(3):
        await settle()

    [end] = ends(owning.history("e-1"))
    assert isinstance(end, StepCompleted)
    assert end.output == [
        {"item": 7, "item_index": 0, "s1": "done"}, {"item": 8, "item_index": 1, "s1": "done"}
    ]  # fmt: skip
