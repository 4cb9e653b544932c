"""A log that lost records, or was replaced: it is noticed, nothing false is kept, all goes on."""

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest

from executor_service.errors import LogLostRecords
from executor_service.partition.consumer import CommandConsumer
from executor_service.partition.log_check import CommandsLost, LogCheck, LogWatch
from executor_service.ports.resume_point import ResumePoint, resume_point
from steplog_contracts.codec import encode_command
from steplog_contracts.commands import RunPipeline
from steplog_contracts.envelope import SentCommand
from tests.executor.log.test_writer import a_record, claimed
from tests.executor.support.fakes import FakeEventLog, SharedLog, settle
from tests.executor.support.partition_harness import PARTITION, Owning, linear
from tests.executor.support.topic_source import TopicSource


def check_of(owning: Owning) -> LogCheck:
    """Return a check of the logs of an owner."""
    return LogCheck(*(FakeEventLog(log) for log in (owning.events, owning.parked, owning.seen)))


async def after_a_loss(before: Owning, length: int, *, grown: int = 0) -> Owning:
    """Return the next owner, after events beyond a length were lost and others came since."""
    await before.owner.save_ids()
    before.commit()
    await before.owner.release()
    before.events.lose_tail(length)
    for number in range(grown):
        before.events.land(PARTITION, [a_record(seq=900 + number)])
    after = Owning(
        before.events,
        before.parked,
        before.clock,
        await check_of(before).sound(PARTITION, before.committed),
        before.commands,
        seen=before.seen,
    )
    return await after.begin()


async def test_an_append_below_what_the_log_had_reached_is_a_loss() -> None:
    shared = SharedLog()
    writer = claimed(shared)
    await writer.append([a_record(seq=1), a_record(seq=2)])
    shared.lose_tail(1)

    with pytest.raises(LogLostRecords, match="had reached offset 3 and took an append at 1"):
        await writer.append([a_record(seq=3)])

    assert writer.log_lost


@pytest.mark.parametrize("grown", [0, 50])
async def test_a_mark_the_log_does_not_reach_any_more_makes_the_owner_read_all(grown: int) -> None:
    """Also where other records have come since, so that every offset is there again."""
    before = await Owning().begin()
    await before.run("e-1", "Quick")
    await before.run("e-2", "Ask")
    whole = len(before.events.partitions[PARTITION])

    after = await after_a_loss(before, whole - 2, grown=grown)

    assert after.events.reads[-1][0] == 0
    assert after.committed.mark == 0


async def test_a_whole_log_is_not_read_again() -> None:
    before = await Owning().begin()
    await before.run("e-1", "Quick")
    point = before.commit()

    assert await check_of(before).sound(PARTITION, point) == point


async def test_a_log_that_only_grew_is_whole() -> None:
    before = await Owning().begin()
    await before.run("e-1", "Quick")
    point = before.commit()
    await before.run("e-2", "Quick")

    assert await check_of(before).sound(PARTITION, point) == point


async def test_an_execution_whose_newest_events_are_lost_goes_on_from_what_is_recorded() -> None:
    before = await Owning().begin()
    await before.run("e-1", "Quick", "Quick")
    beginning = 1 + before.kinds("e-1").index("StepCompleted")

    after = await after_a_loss(before, beginning)

    assert after.kinds("e-1")[-1] == "ExecutionCompleted"


async def test_an_id_whose_events_are_lost_is_free_again() -> None:
    before = await Owning().begin()
    await before.run("e-1", "Quick")

    after = await after_a_loss(before, 1)
    await after.run("e-1", "Quick")

    assert after.kinds("e-1")[-1] == "ExecutionCompleted"
    assert after.refusals() == []


async def test_a_repeat_of_what_is_still_there_is_refused_after_a_loss() -> None:
    before = await Owning().begin()
    await before.run("e-1", "Quick")
    kept = len(before.events.partitions[PARTITION])
    await before.run("e-2", "Quick")

    after = await after_a_loss(before, kept)
    await after.run("e-1", "Quick")

    assert [code for _, code in after.refusals()] == ["duplicate_execution"]


async def test_a_snapshot_newer_than_the_log_gives_way_to_what_is_recorded() -> None:
    before = await Owning().begin()
    await before.run("e-1", "Quick", "Ask", "Quick")
    waiting = before.kinds("e-1").index("StepWaiting")

    after = await after_a_loss(before, waiting)
    again = await after.restarted()
    await again.resume("e-1", approved=True)

    seqs = [
        taken.envelope.seq
        for taken in again.events.taken(PARTITION)
        if taken.envelope.execution_id == "e-1"
    ]
    assert seqs == list(range(1, len(seqs) + 1))
    assert again.kinds("e-1")[-1] == "ExecutionCompleted"


async def test_a_snapshot_without_any_event_is_dropped_and_its_id_is_free() -> None:
    before = await Owning().begin()
    await before.run("e-1", "Ask")

    after = await after_a_loss(before, 1)
    await after.run("e-1", "Quick")

    assert after.kinds("e-1")[-1] == "ExecutionCompleted"


async def test_executions_whose_snapshots_are_lost_are_found_in_the_events() -> None:
    before = await Owning().begin()
    await before.run("e-1", "Ask", "Quick")
    await before.owner.save_ids()
    before.commit()
    await before.owner.release()
    before.parked.lose_tail(1)

    point = await check_of(before).sound(PARTITION, before.committed)
    after = Owning(
        before.events, before.parked, before.clock, point, before.commands, seen=before.seen
    )
    await after.begin()
    await after.resume("e-1", approved=True)

    assert after.kinds("e-1")[-1] == "ExecutionCompleted"


async def test_ids_that_were_lost_are_learned_from_the_events_again() -> None:
    before = await Owning().begin()
    await before.run("e-1", "Quick")
    await before.owner.save_ids()
    before.commit()
    await before.owner.release()
    before.seen.lose_tail(0)

    point = await check_of(before).sound(PARTITION, before.committed)
    after = Owning(
        before.events, before.parked, before.clock, point, before.commands, seen=before.seen
    )
    await after.begin()
    await after.run("e-1", "Quick")

    assert [code for _, code in after.refusals()] == ["duplicate_execution"]


async def test_an_idle_owner_learns_of_a_loss_from_a_look_at_the_ends() -> None:
    owning = await Owning().begin()
    await owning.run("e-1", "Quick")
    watch = LogWatch(check_of(owning), lambda: {PARTITION: owning.owner})
    await watch.look()
    live_before = owning.owner.live
    owning.events.lose_tail(2)

    await watch.look()

    assert live_before
    assert owning.lost
    assert owning.owner.log_lost


async def test_what_is_known_of_the_logs_is_committed_and_read_again() -> None:
    owning = await Owning().begin()
    await owning.run("e-1", "Ask")
    await owning.owner.save_ids()

    point = owning.commit()

    assert resume_point(point.command_offset, point.metadata()) == point
    assert point.last.events is not None
    assert point.last.events.offset == len(owning.events.partitions[PARTITION]) - 1


def a_topic(owning: Owning, count: int) -> SharedLog:
    """Return a commands topic of so many commands, as an owner was fed them."""
    topic = SharedLog()
    for number in range(count):
        command = RunPipeline(execution_id=f"e-{number}", definition=linear("Quick"))
        sent = SentCommand(f"c-{number}", "/test", owning.clock.now(), command)
        owning.commands.append(encode_command(sent))
    topic.land(PARTITION, owning.commands)
    return topic


@pytest.mark.parametrize("grown", [0, 3])
async def test_commands_that_were_lost_stop_the_partition_and_name_the_remedy(grown: int) -> None:
    owning = Owning()
    topic = a_topic(owning, 4)
    await owning.begin()
    point = owning.commit()
    topic.lose_tail(2)
    topic.land(PARTITION, [a_record(seq=n) for n in range(grown)])
    check = check_of(owning)
    check.commands = FakeEventLog(topic)

    with pytest.raises(CommandsLost, match="steplog commands reset"):
        await check.sound(PARTITION, point)


async def test_an_executor_whose_commands_were_lost_is_not_ready(tmp_path: Path) -> None:
    owning = Owning()
    source = TopicSource({PARTITION: []})
    source.committed[PARTITION] = ResumePoint(5, 0, None)
    ready = tmp_path / "ready"
    logs = [FakeEventLog(log) for log in (owning.events, owning.parked, owning.seen)]
    consumer = CommandConsumer(
        source, *logs, owning.context, commit_interval_s=1e-6, ready_file=ready
    )
    consumer.check_commands(FakeEventLog(SharedLog()))
    await consumer.assigned([PARTITION])
    running = asyncio.create_task(consumer.run(stopping := asyncio.Event()))
    await settle()
    stopping.set()
    await running
    await consumer.stop(timedelta(0).total_seconds())

    assert not ready.exists()
    assert owning.events.partitions == {}


async def test_commands_that_retention_removed_before_they_were_taken_are_no_commands_taken() -> (
    None
):
    owning = Owning()
    topic = a_topic(owning, 4)
    await owning.begin()
    point = owning.commit()
    topic.land(PARTITION, owning.commands * 2)
    topic.removed_until = 6
    check = check_of(owning)
    check.commands = FakeEventLog(topic)

    with pytest.raises(CommandsLost, match="The commands 4 to 5 of partition 0 were removed"):
        await check.sound(PARTITION, point)


async def test_a_group_that_never_committed_begins_with_the_commands_there_are() -> None:
    owning = Owning()
    topic = a_topic(owning, 4)
    topic.removed_until = 2
    check = check_of(owning)
    check.commands = FakeEventLog(topic)
    point = ResumePoint(0, 0, None)

    assert await check.sound(PARTITION, point) == point


async def test_commands_handed_out_once_more_are_not_carried_out_again() -> None:
    """What a client does by itself when a topic ends before where it reads."""
    owning = Owning()
    a_topic(owning, 3)
    source = TopicSource({PARTITION: list(owning.commands)})
    logs = [FakeEventLog(log) for log in (owning.events, owning.parked, owning.seen)]
    consumer = CommandConsumer(source, *logs, owning.context, commit_interval_s=60)
    await consumer.assigned([PARTITION])
    running = asyncio.create_task(consumer.run(stopping := asyncio.Event()))
    await settle(400)
    events = len(owning.events.partitions[PARTITION])
    source.next[PARTITION] = 0
    await settle(400)
    stopping.set()
    await running
    await consumer.stop(0.0)

    recorded = owning.events.taken(PARTITION)[events:]
    assert [taken.event.event_type for taken in recorded if taken.envelope.seq == 1] == []
