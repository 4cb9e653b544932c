"""What runs for long does not make recovery long: it is set down while it runs on."""

import pytest

from executor_service.live import checkpointer
from tests.executor.support.fakes import settle
from tests.executor.support.partition_harness import Owning
from tests.executor.support.people_steps import Held

QUICK_ONES = 5


@pytest.fixture
async def owning(monkeypatch: pytest.MonkeyPatch) -> Owning:
    """Return an owner where one execution is still in its first step and five others ended."""
    monkeypatch.setattr(checkpointer, "MAX_BEHIND_EVENTS", 3)
    Held.reset()
    owning = await Owning().begin()
    await owning.run("long", "Held", "Quick")
    for number in range(QUICK_ONES):
        await owning.run(f"quick-{number}", "Quick")
    return owning


async def write_snapshot(owning: Owning) -> None:
    """Do what is done every second."""
    owning.owner.shorten_tail()
    await settle()


async def test_the_mark_passes_an_execution_that_is_set_down(owning: Owning) -> None:
    before = owning.commit()
    await write_snapshot(owning)
    after = owning.commit()

    assert (before.command_offset, after.command_offset) == (0, 1 + QUICK_ONES)
    assert after.mark > before.mark + QUICK_ONES


async def test_it_runs_on_undisturbed(owning: Owning) -> None:
    await write_snapshot(owning)
    Held.release.set()
    await settle()

    assert Held.runs == 1
    assert owning.kinds("long")[-1] == "ExecutionCompleted"


async def test_the_next_owner_goes_on_with_it_at_once(owning: Owning) -> None:
    await write_snapshot(owning)
    after = await owning.restarted()
    await settle()

    assert Held.runs == 2
    assert after.kinds("long") == ["ExecutionStarted", "StepStarted", "StepStarted"]


async def test_what_it_recorded_since_is_gone_on_from(owning: Owning) -> None:
    """The snapshot holds the first step, the tail its end and the second one."""
    await owning.run("longer", "Held", "Forever")
    for number in range(QUICK_ONES):
        await owning.run(f"again-{number}", "Quick")
    await write_snapshot(owning)
    Held.release.set()
    await settle()
    after = await owning.restarted()

    assert after.kinds("longer")[-3:] == ["StepCompleted", "StepStarted", "StepStarted"]


@pytest.mark.parametrize("restarts", [1, 2])
async def test_once_it_has_ended_nobody_goes_on_with_it(owning: Owning, restarts: int) -> None:
    await write_snapshot(owning)
    Held.release.set()
    await settle()
    ended = owning.kinds("long")
    after = owning
    for _ in range(restarts):
        after = await after.restarted()

    assert after.kinds("long") == ended


async def test_an_end_that_overtakes_its_snapshot_stays_the_end(owning: Owning) -> None:
    """The step returns while the snapshot is on its way to the log."""
    owning.owner.shorten_tail()
    Held.release.set()
    await settle()
    after = await owning.restarted()

    assert after.kinds("long").count("ExecutionCompleted") == 1
    assert after.kinds("long")[-1] == "ExecutionCompleted"
