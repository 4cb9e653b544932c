"""A retry of a parent goes on with children that did not complete: what they did is kept."""

import json
from pathlib import Path
from typing import Any

import pytest

from executor_service.commands.copied_events import ended_visits
from executor_service.commands.retried_children import MAX_RETRIED, retried_children
from executor_service.engine.child_plan import child_id_of
from steplog_contracts import events as ev
from steplog_contracts.commands import CancelExecution, ForkExecution, RetryExecution
from steplog_contracts.partitioning import partition_of
from tests.executor.live.test_children import child_of, ends, parent
from tests.executor.support import people_steps
from tests.executor.support.fakes import settle
from tests.executor.support.partition_harness import Owning, linear

UNDO = {"module": people_steps.__name__, "step_class": "Quick"}


async def rounds() -> None:
    """Let everything happen that can."""
    for _ in range(5):
        await settle()


async def begun(definition: dict[str, Any], owning: Owning | None = None) -> Owning:
    """Return an owner under which e-1 ran as far as it goes."""
    people_steps.FailsOnce.runs = 0
    owning = await (owning or Owning()).begin()
    await owning.run_definition("e-1", definition)
    await rounds()
    return owning


async def retried(owning: Owning) -> list[str]:
    """Retry e-1 as e-2; return the children that e-2 began."""
    await owning.send(RetryExecution(execution_id="e-2", origin_execution_id="e-1"))
    await rounds()
    return children(owning, "e-2")


def children(owning: Owning, execution_id: str) -> list[str]:
    """Return the children that an execution began."""
    history = owning.history(execution_id)
    return [e.child_execution_id for e in history if isinstance(e, ev.StepChildStarted)]


def ran(owning: Owning, execution_id: str) -> list[str]:
    """Return the steps whose code an execution ran itself, behind what it took over."""
    started = owning.history(execution_id)[0]
    assert isinstance(started, ev.ExecutionStarted)
    taken = {"s1"} if started.origin is not None and started.origin.at_seq > 1 else set()
    begun = [e for e in owning.history(execution_id) if isinstance(e, ev.StepStarted)]
    return [event.step_id for event in begun if event.step_id not in taken]


async def test_a_failed_child_is_retried_and_its_completed_steps_are_kept() -> None:
    owning = await begun(parent(linear("Quick", "FailsOnce")))

    [again] = await retried(owning)

    started = owning.history(again)[0]
    assert isinstance(started, ev.ExecutionStarted)
    assert started.origin is not None
    assert (started.origin.kind, started.origin.execution_id) == ("retry", child_of("e-1"))
    assert (started.parent_execution_id, started.parent_visit.step_id) == ("e-2", "call")
    assert ran(owning, again) == ["s2"]
    assert ends(owning.history("e-2"))[0].output["s1"] == "done"
    assert owning.kinds("e-2")[-1] == "ExecutionCompleted"


async def test_it_cascades_to_grandchildren() -> None:
    owning = await begun(parent(parent(linear("Quick", "FailsOnce")) | {"name": "middle"}))

    [middle] = await retried(owning)

    [leaf] = children(owning, middle)
    assert ran(owning, leaf) == ["s2"]
    assert owning.kinds(middle)[-1] == "ExecutionCompleted"
    assert owning.kinds("e-2")[-1] == "ExecutionCompleted"


async def test_a_retry_of_the_retry_goes_on_from_the_newest_child() -> None:
    owning = await begun(parent(linear("Quick", "Failing")))
    [second] = await retried(owning)

    await owning.send(RetryExecution(execution_id="e-3", origin_execution_id="e-2"))
    await rounds()

    [third] = children(owning, "e-3")
    started = owning.history(third)[0]
    assert isinstance(started, ev.ExecutionStarted)
    assert started.origin is not None
    assert started.origin.execution_id == second


async def test_a_child_that_was_called_off_with_its_parent_goes_on() -> None:
    owning = await begun(parent(linear("Quick", "Ask")))
    await owning.cancel("e-1")
    await rounds()

    [again] = await retried(owning)
    await owning.resume(again, ok=True)
    await rounds()

    assert ran(owning, again) == ["s2"]
    assert owning.kinds("e-2")[-1] == "ExecutionCompleted"


async def test_a_child_that_completed_since_is_taken_over() -> None:
    owning = await begun(parent(linear("Quick", "Ask"), on_parent_end="leave"))
    await owning.cancel("e-1")
    await owning.resume(child_of("e-1"), ok=True)
    await rounds()

    [again] = await retried(owning)

    assert [e for e in owning.history(again) if isinstance(e, ev.StepResumed)]
    assert owning.kinds(again)[-1] == "ExecutionCompleted"
    assert ends(owning.history("e-2"))[0].output["ok"]


async def test_a_child_that_still_runs_is_not_run_twice() -> None:
    owning = await begun(parent(linear("Quick", "Ask"), on_parent_end="leave"))
    await owning.cancel("e-1")

    await retried(owning)

    [end] = ends(owning.history("e-2"))
    assert isinstance(end, ev.StepFailed)
    assert end.error.type == "ChildRefused"
    assert "has not ended" in end.error.message


async def test_a_child_that_was_refused_is_begun_anew() -> None:
    owning = await begun(parent(linear("NoSuchStep")))
    assert ends(owning.history("e-1"))[0].error.type == "ChildRefused"

    assert await retried(owning) == [child_of("e-2")]


async def test_a_child_of_which_the_log_has_nothing_is_begun_anew() -> None:
    owning = await begun(parent(linear("Quick", "FailsOnce")))
    gone = child_of("e-1")
    log = owning.events.partitions[0]
    for offset, record in enumerate(log):
        if ("ce_subject", gone.encode()) in record.headers:
            log[offset] = log[0]
    [first, second] = await retried(owning)

    assert owning.history(first) == []
    assert second == child_of("e-2", 2)
    assert owning.kinds("e-2")[-1] == "ExecutionCompleted"


async def test_where_steps_before_it_were_undone_the_child_is_begun_anew() -> None:
    definition = parent(linear("Quick", "FailsOnce")) | {"on_failure": "compensate"}
    definition["steps"].append({"id": "first", **UNDO, "compensate": UNDO})
    definition["flow"]["paths"].append({"from": "first", "to": "call"})
    definition["flow"]["start_at"] = "first"
    owning = await begun(definition)

    assert await retried(owning) == [child_of("e-2")]


async def test_a_fork_begins_the_child_anew() -> None:
    owning = await begun(parent(linear("Quick", "FailsOnce")))

    await owning.send(
        ForkExecution(execution_id="e-2", origin_execution_id="e-1", from_step="call")
    )
    await rounds()

    assert children(owning, "e-2") == [child_of("e-2")]


async def test_the_children_of_a_maps_items_are_retried_each(tmp_path: Path) -> None:
    (tmp_path / "leaf.json").write_text(json.dumps(linear("Quick", "Failing")))
    mapped = {"id": "call", "type": "map", "items": [7, 8], "pipeline": "leaf"}
    definition = {"name": "p", "steps": [mapped], "flow": {"start_at": "call", "paths": []}}
    owning = await begun(definition, Owning(pipelines=tmp_path))

    again = await retried(owning)

    assert len(again) == len(set(again)) >= 1
    for child in again:
        started = owning.history(child)[0]
        assert isinstance(started, ev.ExecutionStarted)
        assert started.origin is not None
        assert started.origin.execution_id in children(owning, "e-1")


@pytest.mark.parametrize("kept", range(8, 22))
async def test_a_crash_anywhere_retries_the_child_once(kept: int) -> None:
    owning = await begun(parent(linear("Quick", "FailsOnce")))
    whole, sent = len(owning.events.partitions[0]), len(owning.commands) + 1
    [child] = await retried(owning)
    owning.events.partitions[0] = owning.events.partitions[0][: whole + kept - 8]
    # What was sent before the last event that is left stands in the topic of commands.
    sent += any(isinstance(e, ev.StepStarted) for e in owning.history("e-2"))
    sent += "ExecutionCompleted" in owning.kinds(child)
    again = Owning(owning.events, owning.parked, owning.clock, commands=owning.commands[:sent])
    await again.begin()
    await rounds()

    assert set(children(again, "e-2")) == {child}
    assert again.kinds("e-2")[-1] == "ExecutionCompleted"
    assert again.kinds(child).count("ExecutionStarted") == 1
    assert ran(again, child).count("s1") == 0


def test_its_id_lies_in_the_partition_of_the_child_it_goes_on_from() -> None:
    def eight(key: str) -> int:
        return partition_of(key, 8)

    events: list[ev.Event] = []
    for number in range(MAX_RETRIED + 5):
        step_id = f"each[{number}]"
        child = child_id_of("e-1", step_id, 1, 1)
        events.append(ev.StepChildStarted(step_id=step_id, child_execution_id=child))
    found = retried_children(events, ended_visits(events), "e-2", eight)

    assert len(found) == len({child.execution_id for child in found}) == MAX_RETRIED
    assert all(eight(one.execution_id) == eight(one.origin_execution_id) for one in found)
    assert found == retried_children(events, ended_visits(events), "e-2", eight)


async def test_a_cancelled_retry_has_its_retried_child_cancelled() -> None:
    owning = await begun(parent(linear("Quick", "Ask")))
    await owning.cancel("e-1")
    await rounds()
    [again] = await retried(owning)

    await owning.send(CancelExecution(execution_id="e-2", reason="no"))
    await rounds()

    assert owning.kinds(again)[-1] == "ExecutionCancelled"
