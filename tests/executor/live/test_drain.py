"""A partition that moves while its owner lives costs no second run of what runs just then."""

import asyncio

import pytest

from executor_service.log.start_gate import StartGate
from tests.executor.support.fakes import settle
from tests.executor.support.partition_harness import Owning
from tests.executor.support.people_steps import Held

GRACE_S = 5.0
NO_GRACE_S = 0.05
LONG_S = 60.0


@pytest.fixture
async def owning() -> Owning:
    """Return an owner one of whose executions is in its first step."""
    Held.reset()
    owning = await Owning().begin()
    await owning.run("e-1", "Held", "Quick")
    return owning


async def test_a_running_step_ends_and_is_recorded_before_the_partition_moves(
    owning: Owning,
) -> None:
    pausing = asyncio.create_task(owning.owner.pause(GRACE_S, LONG_S))
    await settle()
    Held.release.set()
    await pausing

    assert owning.kinds("e-1") == ["ExecutionStarted", "StepStarted", "StepCompleted"]


async def test_the_next_owner_goes_on_behind_the_step_that_ended(owning: Owning) -> None:
    Held.release.set()
    await owning.owner.pause(GRACE_S, LONG_S)
    after = await owning.restarted()

    assert Held.runs == 1
    assert after.kinds("e-1")[-1] == "ExecutionCompleted"


async def test_an_owner_that_keeps_the_partition_goes_on_where_it_paused(owning: Owning) -> None:
    Held.release.set()
    await owning.owner.pause(GRACE_S, LONG_S)
    owning.owner.resume_run()
    await settle()

    assert Held.runs == 1
    assert owning.kinds("e-1")[-1] == "ExecutionCompleted"


async def test_a_step_that_takes_longer_than_the_grace_does_not_hold_the_group_up(
    owning: Owning,
) -> None:
    await owning.owner.pause(NO_GRACE_S, LONG_S)

    assert owning.kinds("e-1") == ["ExecutionStarted", "StepStarted"]


async def test_a_command_that_comes_during_a_pause_begins_nothing_yet(owning: Owning) -> None:
    Held.release.set()
    await owning.owner.pause(GRACE_S, LONG_S)
    await owning.run("e-2", "Quick")
    before = owning.kinds("e-2")
    owning.owner.resume_run()
    await settle()

    assert before == []
    assert owning.kinds("e-2")[-1] == "ExecutionCompleted"


async def test_a_pause_ends_by_itself_when_the_group_does_not_come_to_a_decision() -> None:
    gate = StartGate()
    gate.hold(at_most_s=0.01)
    held = gate.held
    await asyncio.wait_for(gate.wait(), GRACE_S)

    assert held
    assert not gate.held
