"""A command sent again is known for a repeat within the window, whoever owns the partition then."""

from datetime import timedelta

from steplog_contracts.commands import CancelExecution, ResumeExecution, RunPipeline
from tests.executor.support.fakes import settle
from tests.executor.support.partition_harness import PARTITION, Owning, linear


async def much_later(owning: Owning) -> Owning:
    """Return the owner after so many others that only what is saved is still known."""
    for number in range(3):
        await owning.run(f"between-{number}-{len(owning.commands)}", "Quick")
        owning = await owning.restarted()
    return owning


async def test_the_same_run_sent_again_after_restarts_is_refused_and_not_run() -> None:
    owning = await Owning().begin()
    command = RunPipeline(execution_id="e-1", definition=linear("Quick"))
    await owning.send(command, "same")
    owning = await much_later(owning)

    await owning.send(command, "same")

    assert owning.kinds("e-1").count("ExecutionStarted") == 1
    assert owning.refusals() == [("same", "duplicate_execution")]
    assert owning.commit().command_offset == len(owning.commands)


async def test_its_events_lie_far_below_what_a_new_owner_reads() -> None:
    owning = await Owning().begin()
    await owning.run("e-1", "Quick")
    owning = await much_later(owning)

    begin, _ = owning.events.reads[-1]

    last_of_it = max(
        offset
        for offset, logged in enumerate(owning.events.partitions[PARTITION])
        if ("ce_subject", b"e-1") in logged.headers
    )
    assert begin > last_of_it


async def test_a_command_that_comes_again_because_of_a_crash_is_no_refusal() -> None:
    """Its execution ended and its ids are saved; only the commit was lost."""
    owning = await Owning().begin()
    await owning.run("e-1", "Quick")
    await owning.owner.save_ids()
    saved = owning.commit()
    owning.committed = type(saved)(0, saved.mark, saved.epoch, saved.ids_through, saved.ids_from)

    owning = await owning.restarted(commit=False)
    await settle()

    assert owning.kinds("e-1").count("ExecutionStarted") == 1
    assert owning.refusals() == []
    assert owning.commit().command_offset == 1


async def test_a_cancel_sent_again_is_known_by_its_command_id() -> None:
    owning = await Owning().begin()
    await owning.run("e-1", "Ask")
    cancel = CancelExecution(execution_id="e-1")
    await owning.send(cancel, "stop it")
    owning = await much_later(owning)

    await owning.send(cancel, "stop it")

    assert owning.refusals() == [("stop it", "duplicate_command")]


async def test_an_answer_sent_again_does_not_answer_the_next_question() -> None:
    owning = await Owning().begin()
    await owning.run("e-1", "Ask", "Ask")
    answer = ResumeExecution(execution_id="e-1", human_input={"first": True})
    await owning.send(answer, "first")
    owning = await much_later(owning)

    await owning.send(answer, "first")

    assert owning.refusals() == [("first", "duplicate_command")]
    assert owning.kinds("e-1")[-1] == "StepWaiting"


async def test_a_command_for_an_execution_that_ended_long_ago_is_told_so() -> None:
    owning = await Owning().begin()
    await owning.run("e-1", "Quick")
    owning = await much_later(owning)

    await owning.cancel("e-1")

    assert owning.refusals()[-1][1] == "execution_ended"


async def test_what_looks_seen_and_never_was_is_carried_out() -> None:
    """A former owner put the id down and died before its event was recorded."""
    owning = await Owning().begin()
    await owning.run("e-0", "Quick")
    await owning.owner.save_ids()
    owning.commit()
    await owning.owner.release()
    del owning.events.partitions[PARTITION][1:]
    owning.commands.clear()
    owning.committed = type(owning.committed)(0, 1, 0, 1, 0)

    after = await owning.restarted(commit=False)
    await after.run("e-0", "Quick")

    assert after.refusals() == []
    assert after.kinds("e-0")[-1] == "ExecutionCompleted"


async def test_ids_older_than_the_window_are_forgotten() -> None:
    owning = await Owning().begin()
    await owning.run("e-1", "Quick")
    for number in range(6):
        owning.clock.move(timedelta(hours=9))
        owning.owner.save_ids_if_due()
        await settle()
        await owning.run(f"later-{number}", "Quick")
    owning = await owning.restarted()

    await owning.cancel("e-1")

    assert owning.refusals()[-1][1] == "unknown_execution"
