"""An execution that only waits holds neither memory nor the mark; a snapshot brings it back."""

from datetime import timedelta

from steplog_contracts.encoder import ExecutionEncoder
from steplog_contracts.envelope import NO_SEQ
from steplog_contracts.events import PartitionClaimed
from tests.executor.support.fakes import settle
from tests.executor.support.partition_harness import PARTITION, Owning

TIME = b"2026-01-01T00:00:00.000000+00:00"


async def test_a_waiting_execution_does_not_hold_the_mark() -> None:
    owning = await Owning().begin()
    await owning.run("e-1", "Ask")

    point = owning.commit()

    assert point.command_offset == 1
    assert point.mark == len(owning.events.partitions[PARTITION])


async def test_an_answer_takes_it_up_and_it_ends() -> None:
    owning = await Owning().begin()
    await owning.run("e-1", "Ask", "Quick")

    await owning.resume("e-1", approved=True)

    assert owning.kinds("e-1")[3:] == [
        "StepResumed", "StepCompleted", "StepStarted", "StepCompleted", "ExecutionCompleted",
    ]  # fmt: skip


async def test_after_a_restart_it_is_taken_up_without_reading_its_events() -> None:
    before = await Owning().begin()
    await before.run("e-1", "Ask", "Quick")
    after = await before.restarted()
    begin, end = after.events.reads[-1]

    await after.resume("e-1", approved=True)

    assert end - begin == 1  # Only the claim itself.
    assert after.kinds("e-1")[-1] == "ExecutionCompleted"


async def test_seq_goes_on_where_the_snapshot_ended() -> None:
    before = await Owning().begin()
    await before.run("e-1", "Ask", "Quick")
    after = await before.restarted()
    await after.resume("e-1", approved=True)

    seqs = [
        recorded.envelope.seq
        for recorded in after.events.taken(PARTITION)
        if recorded.envelope.execution_id == "e-1"
    ]
    assert seqs == list(range(1, 9))


async def test_a_crash_after_the_answer_and_before_the_end_loses_nothing() -> None:
    before = await Owning().begin()
    await before.run("e-1", "Ask", "Forever")
    before.commit()
    await before.resume("e-1", approved=True)
    after = await before.restarted()

    started = [kind for kind in after.kinds("e-1") if kind == "StepStarted"]
    assert len(started) == 3  # Ask, Forever, and Forever again after the crash.
    assert after.owner.commit_point() is not None
    assert after.commit().command_offset == 1


async def test_a_wait_expires_though_its_execution_is_parked() -> None:
    owning = await Owning().begin()
    await owning.run("e-1", "AskBriefly")

    owning.clock.move(timedelta(seconds=61))
    await settle()

    assert owning.kinds("e-1")[-1] == "ExecutionFailed"


async def test_a_wait_that_expired_while_nobody_ran_fails_after_the_restart() -> None:
    before = await Owning().begin()
    await before.run("e-1", "AskBriefly")
    before.commit()
    await before.owner.release()
    before.clock.move(timedelta(seconds=61))
    after = await before.restarted(commit=False)
    await settle()

    assert after.kinds("e-1")[-1] == "ExecutionFailed"


async def test_an_ended_execution_is_not_brought_back_by_a_former_owners_late_snapshot() -> None:
    before = await Owning().begin()
    await before.run("e-1", "Ask")
    late = before.parked.partitions[PARTITION][-1]
    after = await before.restarted()
    await after.resume("e-1", approved=True)
    after.commit()
    again = Owning(after.events, after.parked, after.clock, after.committed, after.commands)
    again.parked.partitions[PARTITION].append(late._replace(offset=len(again.parked.partitions[0])))

    await again.begin()
    await again.cancel("e-1")

    assert again.kinds("e-1")[-1] == "ExecutionCompleted"
    assert [code for _, code in again.refusals()] == ["unknown_execution"]


async def test_a_claim_on_the_parked_topic_by_another_executor_ends_the_ownership() -> None:
    owning = await Owning().begin()
    claim = ExecutionEncoder("partition/0", source="/other").encode(
        PartitionClaimed(partition=0, owner="other"), seq=NO_SEQ, time=TIME
    )
    owning.parked.land(PARTITION, [claim])

    await owning.run("e-1", "Ask")

    assert owning.lost
    assert not owning.owner.live


async def test_slots_are_free_while_people_think() -> None:
    owning = await Owning().begin()

    for number in range(20):
        await owning.run(f"e-{number}", "Ask")

    assert owning.slots.in_use == 0
