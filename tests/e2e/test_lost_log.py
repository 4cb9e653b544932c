"""A real broker that lost acknowledged records: both services notice it, and all is mended."""

import asyncio
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import asyncpg
import pytest
from aiokafka import AIOKafkaProducer

from executor_service.adapters.system_clock import SystemClock
from steplog.local.child import Child
from steplog_contracts.codec import encode_command
from steplog_contracts.commands import RunPipeline
from steplog_contracts.envelope import SentCommand
from tests.e2e.lost_log_world import LossyWorld, lossy_world
from tests.e2e.weather_shape import weather_shape
from tests.integration.tracker_load import Load, caught_up, until
from tracker_service.rebuild.errors import RebuildRefused
from tracker_service.rebuild.rebuild import Rebuild
from tracker_service.rebuild.request import RebuildRequest
from tracker_service.store.postgres.read_model import PostgresReadModel

# More than one group of executions that are written side by side.
LOST_EVENTS = 300
LOST_OF_EXECUTOR = 60
pytestmark = [pytest.mark.e2e, pytest.mark.broker, pytest.mark.database]


@pytest.fixture
async def world(
    postgres_url: str, topic_namespace: str, tmp_path: Path
) -> AsyncIterator[LossyWorld]:
    """Return a broker that can lose records, and services on it that are not started."""
    async with lossy_world(
        tmp_path, postgres_url, topic_namespace, "tests.e2e.weather_shape"
    ) as made:
        yield made


async def tracker(world: LossyWorld) -> str:
    """Return what every answer says of the tracker."""
    model = PostgresReadModel(world.services.database_url)
    await model.open()
    try:
        return (await model.freshness(world.services.topics.events.name)).tracker
    finally:
        await model.close()


def order(world: LossyWorld, drop_lost: int | None = None) -> RebuildRequest:
    """Return the order of a rebuild."""
    services = world.services
    return RebuildRequest(
        services.bootstrap_servers,
        services.database_url,
        services.topics.events.name,
        drop_lost=drop_lost,
        processes=1,
    )


# A living worker notices before the log grows, so one that does not grow is a part of that case.
@pytest.mark.parametrize(("alive", "grown"), [(True, 40), (False, 0), (False, 40)])
async def test_rows_of_a_log_that_lost_its_tail_are_never_called_fresh_and_can_be_rebuilt(
    world: LossyWorld, grown: int, alive: bool
) -> None:
    """Also where the log has grown past the position before a worker looks at it again."""
    load = Load(world.services)
    topic = world.services.topics.events.name
    worker = world.services.start_tracker()
    await load.write(60)
    await until(lambda: caught_up(load), "all applied")
    if not alive:
        await asyncio.to_thread(world.services.stop, "tracker")

    end = await world.lose_tail(topic, 0, LOST_EVENTS)
    load.partitions[0] = end
    if not alive:
        await load.write(grown)
        worker = world.services.start_tracker()
    await until(lambda: is_unready(world), "not ready")
    told = await tracker(world)
    if alive:
        await load.write(grown)
    await asyncio.sleep(1.5)
    positions = await world.fetch("SELECT next_offset, end_offset FROM projection_positions")
    still = worker.exit_code

    assert told == "log_lost_records"
    assert still is None
    assert positions[0]["next_offset"] > end
    with pytest.raises(RebuildRefused, match=r"--drop-lost \d+"):
        await Rebuild(order(world)).run()
    before = await world.fetch("SELECT count(*) FROM pipeline_executions")
    report = await Rebuild(order(world, drop_lost=1_000)).run()
    assert report.swapped
    assert report.vanishing
    await until(lambda: has_ended(worker), "the worker ends to start again")
    assert worker.exit_code == 75
    world.services.start_tracker("again")
    await load.write(20)
    await until(lambda: caught_up(load), "all applied again")
    after = await world.fetch("SELECT count(*) FROM pipeline_executions")
    assert after[0][0] == before[0][0] - len(report.vanishing) + grown + 20
    assert await tracker(world) == "fresh"


async def is_unready(world: LossyWorld) -> bool:
    """Whether the worker says that the log lost records."""
    status, text = await world.worker_says()
    return status == 503 and "steplog rebuild" in text


async def has_ended(worker: Child) -> bool:
    """Whether a process has ended."""
    return worker.exit_code is not None


async def send(world: LossyWorld, *names: str) -> None:
    """Send commands to run executions."""
    topics = world.services.topics
    async with AIOKafkaProducer(bootstrap_servers=world.services.bootstrap_servers) as producer:
        for name in names:
            command = RunPipeline(execution_id=name, definition=weather_shape(0.01), input={"n": 1})
            sent = SentCommand(f"run-{name}", "/test", SystemClock().now(), command)
            record = encode_command(sent)
            await producer.send_and_wait(
                topics.commands.name, record.value, key=record.key, headers=record.headers
            )


async def test_an_executor_drops_what_the_log_lost_and_runs_on(world: LossyWorld) -> None:
    services, topic = world.services, world.services.topics.events.name
    services.start_tracker()
    executor = services.start_executor()
    names = [f"e-{number}" for number in range(6)]
    for number, name in enumerate(names, 1):
        await send(world, name)
        await until(partial(completed, world, number), "it ran")

    await world.lose_tail(topic, 0, LOST_OF_EXECUTOR)
    await until(lambda: said(executor, "log_lost_records"), "the executor noticed")
    await until(lambda: taken_again(executor), "the partition was taken again")
    report = await Rebuild(order(world, drop_lost=6)).run()
    await asyncio.to_thread(services.stop, "tracker")
    services.start_tracker()
    lost = [name for name in names if name in report.vanishing]
    await send(world, *lost, "e-new")
    await until(lambda: completed(world, 7), "what was lost ran again under its old id")

    assert lost
    assert executor.exit_code is None
    refused = await world.fetch("SELECT code FROM refused_commands")
    assert [row["code"] for row in refused] == []


async def completed(world: LossyWorld, count: int) -> bool:
    """Whether so many executions are completed; the worker may not have made its tables yet."""
    try:
        rows = await world.fetch(
            "SELECT count(*) FROM pipeline_executions WHERE status = 'completed'"
        )
    except asyncpg.UndefinedTableError:
        return False
    return int(rows[0][0]) >= count


async def said(process: Child, text: str) -> bool:
    """Whether a process logged something."""
    return text in process.program.log_path.read_text()


async def taken_again(process: Child) -> bool:
    """Whether the partition was taken after the loss."""
    log = process.program.log_path.read_text()
    return "partition_taken" in log[log.rindex("log_lost_records") :]
