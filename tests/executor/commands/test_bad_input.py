"""What no well-behaved client sends and no well-run broker does: refused or told, never fatal."""

from executor_service.commands.command_tasks import MAX_PENDING_TASKS
from steplog_contracts.commands import CancelExecution, RunPipeline
from steplog_contracts.encoder import ExecutionEncoder
from steplog_contracts.envelope import NO_SEQ, Record
from steplog_contracts.events import ExecutionFailed, PartitionClaimed
from tests.executor.support.fakes import settle
from tests.executor.support.partition_harness import PARTITION, Owning, linear

TIME = b"2026-01-01T00:00:00.000000+00:00"
FLOOD = 20_000


async def test_a_record_without_a_key_is_carried_out_where_it_landed() -> None:
    """The command names its execution itself; only its partition must be the right one."""
    owning = await Owning().begin()
    await owning.run("e-1", "Quick")
    keyless = Record(None, owning.commands[0].value, owning.commands[0].headers)
    again = await Owning().begin()

    await again.send_record(keyless)

    assert again.kinds("e-1")[-1] == "ExecutionCompleted"


async def test_a_record_without_key_id_or_sense_is_set_aside() -> None:
    owning = await Owning().begin()

    await owning.send_record(Record(None, b"\x00\xff", []))
    await owning.run("e-1", "Quick")

    assert [record.value for record, _ in owning.set_aside] == [b"\x00\xff"]
    assert owning.kinds("e-1")[-1] == "ExecutionCompleted"
    assert owning.commit().command_offset == 2


async def test_a_flood_for_executions_that_never_were_is_refused_within_bounds() -> None:
    """Each refusal waits for the log; what is under way is bounded and the rest is not taken."""
    owning = await Owning().begin()
    most, taken = 0, 0
    while taken < FLOOD:
        taking = min(owning.owner.free, FLOOD - taken)
        for number in range(taken, taken + taking):
            owning.put(CancelExecution(execution_id=f"nobody-{number}"))
        taken += taking
        most = max(most, MAX_PENDING_TASKS - owning.owner.free)
        await settle(3)
    await settle()

    refusals = owning.refusals()
    assert most <= MAX_PENDING_TASKS
    assert len(refusals) == FLOOD
    assert {code for _, code in refusals} == {"unknown_execution"}
    assert owning.commit().command_offset == FLOOD


async def test_a_flood_of_runs_waits_outside_and_all_of_it_is_run() -> None:
    owning = await Owning(capacity=10).begin()
    taken, most = 0, 0
    while taken < FLOOD // 10:
        taking = min(owning.owner.free, FLOOD // 10 - taken)
        for number in range(taken, taken + taking):
            owning.put(RunPipeline(execution_id=f"e-{number}", definition=linear("Quick")))
        taken += taking
        most = max(most, owning.slots.in_use)
        await settle(20)
    while owning.slots.in_use:
        await settle()

    assert most <= 10
    assert owning.commit().command_offset == FLOOD // 10


async def test_a_stale_claim_costs_the_ownership_and_no_execution() -> None:
    """A former owner's claim lands late; whom the group trusts claims again and goes on."""
    owning = await Owning().begin()
    await owning.run("e-1", "Ask", "Quick")
    late = ExecutionEncoder("partition/0", source="/late").encode(
        PartitionClaimed(partition=0, owner="late"), seq=NO_SEQ, time=TIME
    )
    owning.events.land(PARTITION, [late])
    await owning.resume("e-1", approved=True)
    lost = owning.lost

    again = await owning.restarted(commit=False)

    assert lost
    assert again.kinds("e-1")[-1] == "ExecutionCompleted"
    assert again.kinds("e-1").count("StepResumed") == 1


async def test_an_execution_whose_beginning_was_removed_fails_on_the_record() -> None:
    before = await Owning().begin()
    await before.run("e-1", "Quick", "Forever")
    await before.run("e-2", "Quick")
    before.events.removed_until = 2  # The claim, and the beginning of e-1.

    after = await before.restarted()

    end = after.history("e-1")[-1]
    assert isinstance(end, ExecutionFailed)
    assert end.error.type == "HistoryRemoved"
    assert after.kinds("e-2").count("ExecutionStarted") == 1
    assert after.commit().command_offset == 2


async def test_a_repeat_whose_proof_was_removed_is_refused_and_not_run_again() -> None:
    owning = await Owning().begin()
    command = RunPipeline(execution_id="e-1", definition=linear("Quick"))
    await owning.send(command, "same")
    after = await owning.restarted()
    after.events.removed_until = len(after.events.partitions[PARTITION]) - 1

    await after.send(command, "same")

    assert after.refusals() == [("same", "history_removed")]
    assert after.kinds("e-1").count("ExecutionStarted") == 1
