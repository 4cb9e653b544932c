"""Whatever the brokers go through, every producer of ours goes on without a restart."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from aiokafka.errors import KafkaError

from executor_service.adapters.kafka.command_source import KafkaCommandSource
from executor_service.adapters.kafka.event_log import KafkaEventLog
from executor_service.ports.command_source import ReceivedRecord
from steplog.client.kafka_sender import CommandSender
from steplog_contracts.commands import CancelExecution
from steplog_contracts.envelope import Record
from steplog_contracts.errors import SteplogError
from steplog_contracts.topics import Topic, topics_for
from steplog_kafka.clients import make_consumer
from steplog_kafka.settings import KafkaSettings, local_kafka
from tests.support.cluster import Cluster, running_cluster
from tracker_service.log.kafka_command_sink import KafkaCommands

pytestmark = pytest.mark.broker
PARTITIONS = 3
REQUEST_TIMEOUT_MS = 3_000
# A partition without a leader for longer than any of our waits.
OUTAGE_S = 3.0 * REQUEST_TIMEOUT_MS / 1000
# Beyond the outage: brokers that come back on busy cores.
RECOVERY_TIMEOUT_S = 150.0
# Longer than the controllers wait for a node (`cluster.BROKER_SESSION_MS`).
FROZEN_S = 25.0
CANCEL = CancelExecution(execution_id="e-1")
Send = Callable[[int], Awaitable[object]]


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    """Return three new brokers: after what one test does to them, a node may not come up again."""
    with running_cluster(tmp_path / "cluster") as cluster:
        yield cluster


def kafka_of(cluster: Cluster) -> KafkaSettings:
    """Return settings with short waits."""
    return local_kafka(cluster.address).model_copy(
        update={"request_timeout_ms": REQUEST_TIMEOUT_MS, "metadata_max_age_ms": 1_000}
    )


def commands_topic(name: str, partitions: int) -> Topic:
    """Return a topic that exists as one that commands go to."""
    return replace(topics_for(partitions=partitions).commands, name=name)


@asynccontextmanager
async def producers(kafka: KafkaSettings, topic: str) -> AsyncIterator[Mapping[str, Send]]:
    """Yield every producer we have, each as a function that sends one record of some key."""
    async with AsyncExitStack() as stack:
        sender = CommandSender(kafka, commands_topic(topic, PARTITIONS))
        client = await stack.enter_async_context(sender)
        api = KafkaCommands(kafka, topic)
        stack.push_async_callback(api.close)
        log = await stack.enter_async_context(KafkaEventLog(kafka, topic))
        source = KafkaCommandSource(
            kafka, topic=topic, dead_topic=topic, group_id="g", session_timeout_ms=10_000
        )
        stack.push_async_callback(source.stop)

        def cancel(number: int) -> CancelExecution:
            return CancelExecution(execution_id=f"e-{number}")

        yield {
            "client": lambda n: client.send(cancel(n), f"client-{n}"),
            "api": lambda n: api.send(cancel(n), f"api-{n}"),
            "events": lambda n: log.append(n % PARTITIONS, [Record(b"k", b"v", [])]),
            "dead letters": lambda n: source.set_aside(ReceivedRecord(0, n, b"k", b"v", []), "bad"),
        }


async def tried(send: Send, number: int) -> bool:
    """Return whether a record was taken; what is refused is refused in our words or Kafka's."""
    try:
        await send(number)
    except (SteplogError, KafkaError, OSError):
        return False
    return True


async def all_sent(sends: Mapping[str, Send], began_at: int = 1_000) -> None:
    """Wait until each producer has got a record into each partition, one after another."""
    ends_s = time.monotonic() + RECOVERY_TIMEOUT_S
    for name, send in sends.items():
        taken, number = 0, began_at
        while taken < 2 * PARTITIONS:
            taken, number = (taken + 1 if await tried(send, number) else 0), number + 1
            assert time.monotonic() < ends_s, f"{name} is refused for ever"


async def test_a_frozen_leader_costs_no_more_than_a_dead_one(cluster: Cluster) -> None:
    """Its connections stay open, so only a request's own time limit tells that it is gone."""
    await cluster.create_topic("frozen", partitions=PARTITIONS, copies=3, min_insync_replicas="2")
    async with producers(kafka_of(cluster), "frozen") as sends:
        await all_sent(sends, began_at=0)
        victim = await cluster.leader("frozen")
        cluster.freeze(victim)
        try:
            await all_sent(sends)
            leaders = await cluster.leaders("frozen")
        finally:
            cluster.thaw(victim)

        assert victim not in leaders.values()


@pytest.mark.parametrize(("copies", "in_sync"), [(3, "2"), (1, "1")])
async def test_commands_go_on_through_a_kill_and_two_frozen_leaders(
    cluster: Cluster, copies: int, in_sync: str
) -> None:
    """Requests time out sooner than a frozen node is taken out, so connecting meets silent ones."""
    topic = f"sequence-{copies}"
    await cluster.create_topic(
        topic, partitions=PARTITIONS, copies=copies, min_insync_replicas=in_sync
    )
    kafka = kafka_of(cluster).model_copy(update={"request_timeout_ms": 2_000})
    async with CommandSender(kafka, commands_topic(topic, PARTITIONS)) as client:
        ended = asyncio.Event()

        async def steadily() -> None:
            number = 0
            while not ended.is_set():
                number += 1
                await tried(lambda n: client.send(CANCEL, f"steady-{n}"), number)
                await asyncio.sleep(0.05)

        sending = asyncio.create_task(steadily())
        sends = {"client": lambda n: client.send(CancelExecution(execution_id=f"e-{n}"), f"c-{n}")}
        killed = await cluster.leader(topic)
        cluster.kill(killed)
        await asyncio.to_thread(cluster.start, killed)
        await all_sent(sends)
        for _ in range(2):
            frozen = await cluster.leader(topic)
            cluster.freeze(frozen)
            try:
                await asyncio.sleep(FROZEN_S)
                if copies > 1:
                    await all_sent(sends)
            finally:
                cluster.thaw(frozen)
            await all_sent(sends)
        ended.set()
        await sending


async def test_a_partition_without_a_leader_for_long_is_written_to_again(cluster: Cluster) -> None:
    """One copy: with its broker away there is nobody to take what waits, and it expires."""
    await cluster.create_topic("alone", partitions=PARTITIONS, copies=1)
    victim = await cluster.leader("alone")
    async with producers(kafka_of(cluster), "alone") as sends:
        await all_sent(sends, began_at=0)
        cluster.kill(victim)
        waiting = [
            asyncio.create_task(tried(send, number))
            for send in sends.values()
            for number in range(100, 130)
        ]
        await asyncio.sleep(OUTAGE_S)
        await asyncio.to_thread(cluster.start, victim)

        await asyncio.wait(waiting, timeout=RECOVERY_TIMEOUT_S)
        await all_sent(sends)

        assert all(task.done() for task in waiting)


async def test_what_was_acknowledged_is_there_and_in_the_order_it_was_sent(
    cluster: Cluster,
) -> None:
    """One execution's commands, each sent when the one before was acknowledged."""
    await cluster.create_topic("order", partitions=1, copies=1)
    kafka = kafka_of(cluster)
    victim = await cluster.leader("order")
    acknowledged: list[str] = []
    async with CommandSender(kafka, commands_topic("order", 1)) as client:

        async def write() -> None:
            while len(acknowledged) < 200:
                number = len(acknowledged)
                if await tried(lambda n: client.send(CANCEL, f"c-{n}"), number):
                    acknowledged.append(f"c-{number}")
                await asyncio.sleep(0.05)

        writing = asyncio.create_task(write())
        await asyncio.sleep(1.0)
        cluster.kill(victim)
        await asyncio.sleep(OUTAGE_S)
        await asyncio.to_thread(cluster.start, victim)
        await asyncio.wait_for(writing, RECOVERY_TIMEOUT_S)

    logged = await ids_in(kafka, "order")
    first = list(dict.fromkeys(logged))
    assert first == acknowledged
    # Repeats stand behind their own, before anything later: a reader drops them by their id.
    assert sorted(logged, key=first.index) == logged
    assert max(Counter(logged).values()) < 20


async def test_all_brokers_killed_and_back_cost_nothing_but_time(cluster: Cluster) -> None:
    await cluster.create_topic("three", partitions=PARTITIONS, copies=3, min_insync_replicas="2")
    async with producers(kafka_of(cluster), "three") as sends:
        await all_sent(sends, began_at=0)
        for node_id in cluster.nodes:
            cluster.kill(node_id)
        waiting = [
            asyncio.create_task(tried(send, number))
            for send in sends.values()
            for number in range(100, 110)
        ]
        await asyncio.sleep(OUTAGE_S)
        await asyncio.to_thread(cluster.start)

        await asyncio.wait(waiting, timeout=RECOVERY_TIMEOUT_S)
        await all_sent(sends)

        assert all(task.done() for task in waiting)


async def ids_in(kafka: KafkaSettings, topic: str) -> list[str]:
    """Return the command ids in a topic of one partition, in order."""
    consumer = make_consumer(kafka, topic, auto_offset_reset="earliest")
    await consumer.start()
    try:
        (place,) = consumer.assignment()
        end = (await consumer.end_offsets([place]))[place]
        found: list[str] = []
        while await consumer.position(place) < end:
            for records in (await consumer.getmany(timeout_ms=500)).values():
                found += [dict(record.headers)["ce_id"].decode() for record in records]
    finally:
        await consumer.stop()
    return found
