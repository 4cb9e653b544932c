"""A partition with far more commands than may run holds up no other, and is not taken in whole."""

import asyncio

from executor_service.partition.consumer import CommandConsumer
from steplog_contracts.codec import encode_command
from steplog_contracts.commands import RunPipeline
from steplog_contracts.envelope import Record, SentCommand
from steplog_contracts.payload import JsonObject
from tests.executor.support.fakes import FakeEventLog, ManualClock, SharedLog
from tests.executor.support.partition_harness import Owning, linear
from tests.executor.support.topic_source import TopicSource

FLOODED, OTHER = 0, 1
FLOOD = 10_000
OTHERS = 300
QUIET_TIMEOUT_S = 60.0


def commands(prefix: str, count: int, definition: JsonObject) -> list[Record]:
    """Return records that run a definition."""
    now = ManualClock().now()
    runs = [RunPipeline(execution_id=f"{prefix}-{n}", definition=definition) for n in range(count)]
    return [encode_command(SentCommand(run.execution_id, "/test", now, run)) for run in runs]


async def test_a_flooded_partition_holds_up_no_other_and_stays_outside() -> None:
    stuck = linear("Forever") | {"name": "stuck", "max_concurrency": 2}
    source = TopicSource(
        {
            FLOODED: commands("f", FLOOD, stuck),
            OTHER: commands("o", OTHERS, linear("Quick")),
        }
    )
    owning = Owning(capacity=50)
    owning.partition_of = lambda execution_id: FLOODED if execution_id[0] == "f" else OTHER
    logs = [FakeEventLog(SharedLog()) for _ in range(3)]
    consumer = CommandConsumer(source, *logs, owning.context, commit_interval_s=0.01)
    stopping = asyncio.Event()
    await consumer.assigned([FLOODED, OTHER])
    running = asyncio.create_task(consumer.run(stopping))
    async with asyncio.timeout(QUIET_TIMEOUT_S):
        while source.committed[OTHER].command_offset < OTHERS:  # noqa: ASYNC110 - of another task
            await asyncio.sleep(0.01)
    stopping.set()
    await running
    await consumer.stop(0)

    assert source.next[FLOODED] <= owning.context.max_waiting_commands + 2
    assert source.committed[FLOODED].command_offset == 0
