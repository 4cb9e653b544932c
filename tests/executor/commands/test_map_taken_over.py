"""Retries and forks of executions with a map take over the items that ended."""

import pytest

from steplog_contracts.commands import ForkExecution, RetryExecution
from steplog_contracts.events import Event, StepCompleted, StepStarted
from tests.executor.support.item_steps import Item, map_over
from tests.executor.support.partition_harness import Owning


def items_begun(history: list[Event]) -> list[str]:
    """Return the items whose visits begin in a history."""
    return [e.step_id for e in history if isinstance(e, StepStarted) and e.item_index is not None]


def result_of_map(history: list[Event]) -> object:
    """Return the recorded result of the map."""
    ends = [e for e in history if isinstance(e, StepCompleted) and e.step_id == "each"]
    assert len(ends) == 1
    return ends[0].output


@pytest.fixture
async def failed() -> Owning:
    """Return an owner under which e-1 failed at its third item of four."""
    Item.reset(2)
    owning = await Owning().begin()
    await owning.run_definition("e-1", map_over([0, 1, 2, 3], max_concurrency=1))
    assert owning.kinds("e-1")[-1] == "ExecutionFailed"
    return owning


async def test_a_retry_does_only_the_items_that_are_left(failed: Owning) -> None:
    Item.reset()

    await failed.send(RetryExecution(execution_id="e-2", origin_execution_id="e-1"))

    assert Item.done == [2, 3]
    assert result_of_map(failed.history("e-2")) == [0, 1, 2, 3]
    assert items_begun(failed.history("e-2")) == ["each[0]", "each[1]", "each[2]", "each[3]"]


async def test_a_fork_from_one_item_does_it_and_what_had_not_ended_before_it(
    failed: Owning,
) -> None:
    Item.reset()

    fork = ForkExecution(execution_id="e-2", origin_execution_id="e-1", from_step="each[1]")
    await failed.send(fork)

    assert Item.done == [1, 2, 3]
    assert result_of_map(failed.history("e-2")) == [0, 1, 2, 3]


async def test_a_fork_from_the_map_does_every_item(failed: Owning) -> None:
    Item.reset()

    fork = ForkExecution(execution_id="e-2", origin_execution_id="e-1", from_step="each")
    await failed.send(fork)

    assert Item.done == [0, 1, 2, 3]


async def test_a_fork_behind_a_map_takes_over_all_that_became_of_its_items() -> None:
    Item.reset(1)
    owning = await Owning().begin()
    await owning.run_definition("e-1", map_over([0, 1, 2], tolerated_failures=1))
    Item.reset()

    fork = ForkExecution(execution_id="e-2", origin_execution_id="e-1", from_step="after")
    await owning.send(fork)

    assert Item.done == []
    assert owning.kinds("e-2").count("StepFailed") == 1
    assert result_of_map(owning.history("e-2")) == result_of_map(owning.history("e-1"))


async def test_a_fork_from_an_item_there_is_not_is_refused(failed: Owning) -> None:
    fork = ForkExecution(execution_id="e-2", origin_execution_id="e-1", from_step="each[9]")
    await failed.send(fork, "fork")

    assert failed.refusals() == [("fork", "step_not_reached")]
