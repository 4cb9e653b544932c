"""A history that came from elsewhere is gone on with, and is not forgotten by later owners.

After an import the events stand under a claim of the importer, and the commands that led to them
are not on this cluster's commands topic. Nothing but the events holds such an execution.
"""

from datetime import timedelta

from steplog_contracts.commands import CancelExecution, ResumeExecution
from steplog_contracts.events import PartitionClaimed
from tests.executor.support.fakes import SharedLog
from tests.executor.support.partition_harness import PARTITION, Owning
from tests.executor.support.rebased import rebased


async def another_cluster(*steps: str) -> Owning:
    """Return an owner on a log that holds an unfinished execution of elsewhere."""
    there = await Owning().begin()
    await there.run("e-1", *steps)
    here = SharedLog()
    here.land(PARTITION, rebased(there.events.partitions[PARTITION], epoch=0))
    await there.owner.release()
    return Owning(here, clock=there.clock)


async def cancel(here: Owning) -> None:
    """Cancel under an id of this cluster's; the other's commands count as carried out."""
    await here.send(CancelExecution(execution_id="e-1", reason="asked"), "cancel-here")


async def test_a_running_step_is_run_again_and_the_execution_ends() -> None:
    here = await (await another_cluster("Forever")).begin()

    await cancel(here)

    assert here.kinds("e-1") == [
        "ExecutionStarted", "StepStarted", "StepStarted", "StepCancelled", "ExecutionCancelled",
    ]  # fmt: skip
    assert isinstance(here.events.taken(PARTITION)[0].event, PartitionClaimed)


async def test_a_question_can_be_answered() -> None:
    here = await (await another_cluster("Ask", "Quick")).begin()

    answer = ResumeExecution(execution_id="e-1", human_input={"approved": True})
    await here.send(answer, "resume-here")

    assert here.kinds("e-1")[-1] == "ExecutionCompleted"


async def test_it_is_not_forgotten_however_often_owners_change() -> None:
    """No command of it will come again, so only the mark keeps later owners reading its events."""
    here = await (await another_cluster("Forever")).begin()
    for _ in range(3):
        here = await here.restarted()

    await cancel(here)

    assert here.kinds("e-1")[-1] == "ExecutionCancelled"


async def test_the_mark_moves_on_once_it_has_ended() -> None:
    here = await (await another_cluster("Forever")).begin()
    held = here.commit().mark
    await cancel(here)

    assert held == 1
    assert here.commit().mark == len(here.events.partitions[PARTITION])


async def test_times_do_not_go_back_where_this_clock_is_behind() -> None:
    here = await another_cluster("Forever")
    here.clock.move(timedelta(hours=-1))
    await here.begin()
    await cancel(here)

    taken = here.events.taken(PARTITION)
    times = [each.envelope.time for each in taken if each.envelope.execution_id == "e-1"]
    assert times == sorted(times)
