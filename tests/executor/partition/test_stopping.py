"""SIGTERM: what runs ends on the record, nothing begins, and the rest is handed over."""

import asyncio

from executor_service.partition.consumer import CommandConsumer
from steplog_contracts.codec import encode_command
from steplog_contracts.commands import RunPipeline
from steplog_contracts.envelope import SentCommand
from tests.executor.support.fakes import FakeEventLog, settle
from tests.executor.support.partition_harness import PARTITION, Owning, linear
from tests.executor.support.people_steps import Held
from tests.executor.support.topic_source import TopicSource

GRACE_S = 30.0


async def a_running(owning: Owning, source: TopicSource) -> CommandConsumer:
    """Return a consumer whose first execution is in its first step."""
    logs = [FakeEventLog(log) for log in (owning.events, owning.parked, owning.seen)]
    consumer = CommandConsumer(source, *logs, owning.context, commit_interval_s=60)
    await consumer.assigned([PARTITION])
    running = asyncio.create_task(consumer.run(stopping := asyncio.Event()))
    while Held.runs == 0:
        await settle()
    stopping.set()
    await running
    return consumer


async def test_a_running_step_ends_on_the_record_and_the_next_is_left_to_others() -> None:
    Held.reset()
    owning = Owning(capacity=1)
    owning.commands = [
        encode_command(
            SentCommand(
                f"c-{name}",
                "/test",
                owning.clock.now(),
                RunPipeline(execution_id=name, definition=linear("Held", "Quick")),
            )
        )
        for name in ("runs", "waits")
    ]
    source = TopicSource({PARTITION: owning.commands})
    consumer = await a_running(owning, source)

    stopping = asyncio.create_task(consumer.stop(GRACE_S))
    await settle()
    Held.release.set()
    await stopping

    assert owning.kinds("runs") == ["ExecutionStarted", "StepStarted", "StepCompleted"]
    assert owning.kinds("waits") == []
    assert source.committed[PARTITION].command_offset == 0
    after = Owning(
        owning.events, owning.parked, owning.clock, source.committed[PARTITION], owning.commands,
        seen=owning.seen,
    )  # fmt: skip
    await after.begin()
    assert after.kinds("runs")[-1] == after.kinds("waits")[-1] == "ExecutionCompleted"
    assert Held.runs == 2
