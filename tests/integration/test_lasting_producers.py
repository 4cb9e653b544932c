"""Whatever the brokers go through, every producer of ours goes on without a restart."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
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


async def test_commands_go_on_through_a_kill_and_two_frozen_leaders(cluster: Cluster) -> None:
    """Requests time out sooner than a frozen node is taken out, so connecting meets silent ones.

    With copies, another node leads meanwhile; without, there is nobody until the node is back.
    """
    # First the one with copies: every node is there then, and leads a partition of the other.
    await cluster.create_topic("copied", partitions=PARTITIONS, copies=3, min_insync_replicas="2")
    await cluster.create_topic("single", partitions=PARTITIONS, copies=1)
    kafka = kafka_of(cluster).model_copy(update={"request_timeout_ms": 2_000})
    async with (
        CommandSender(kafka, commands_topic("copied", PARTITIONS)) as copied,
        CommandSender(kafka, commands_topic("single", PARTITIONS)) as single,
    ):
        ended = asyncio.Event()

        async def steadily(client: CommandSender) -> None:
            number = 0
            while not ended.is_set():
                number += 1
                await tried(lambda n: client.send(CANCEL, f"steady-{n}"), number)
                await asyncio.sleep(0.05)

        def sends(**clients: CommandSender) -> Mapping[str, Send]:
            return {
                name: lambda n, c=client: c.send(CancelExecution(execution_id=f"e-{n}"), f"c-{n}")
                for name, client in clients.items()
            }

        sending = [asyncio.create_task(steadily(client)) for client in (copied, single)]
        killed = await cluster.leader("copied")
        cluster.kill(killed)
        await asyncio.to_thread(cluster.start, killed)
        await all_sent(sends(copied=copied, single=single))
        for _ in range(2):
            frozen = await cluster.leader("copied")
            led = (await cluster.leaders("single")).values()
            cluster.freeze(frozen)
            try:
                await asyncio.sleep(FROZEN_S)
                await all_sent(sends(copied=copied))
            finally:
                cluster.thaw(frozen)
            await all_sent(sends(copied=copied, single=single))
            assert frozen in led
        ended.set()
        await asyncio.gather(*sending)


async def test_what_is_sent_while_brokers_are_killed_costs_nothing_but_time(
    cluster: Cluster,
) -> None:
    """First the only broker of a partition, where what waits for long expires; then all brokers."""
    await cluster.create_topic("three", partitions=PARTITIONS, copies=3, min_insync_replicas="2")
    await cluster.create_topic("alone", partitions=PARTITIONS, copies=1)
    await cluster.create_topic("order", partitions=1, copies=1)
    kafka = kafka_of(cluster)
    async with producers(kafka, "alone") as sends:
        await all_sent(sends, began_at=0)
        victim = await cluster.leader("order")
        assert victim in (await cluster.leaders("alone")).values()
        async with CommandSender(kafka, commands_topic("order", 1)) as client:
            writing = asyncio.create_task(in_order(client))
            await asyncio.sleep(1.0)
            await go_on_through_an_outage(cluster, [victim], sends)
            acknowledged = await asyncio.wait_for(writing, RECOVERY_TIMEOUT_S)
    async with producers(kafka, "three") as sends:
        await all_sent(sends, began_at=0)
        await go_on_through_an_outage(cluster, [*cluster.nodes], sends)

    logged = await ids_in(kafka, "order")
    first = list(dict.fromkeys(logged))
    assert first == acknowledged
    # Repeats stand behind their own, before anything later: a reader drops them by their id.
    assert sorted(logged, key=first.index) == logged
    assert max(Counter(logged).values()) < 20


async def go_on_through_an_outage(
    cluster: Cluster, victims: Sequence[int], sends: Mapping[str, Send]
) -> None:
    """Kill nodes while all producers send, and start them again: every one takes records then."""
    for node_id in victims:
        cluster.kill(node_id)
    waiting = [
        asyncio.create_task(tried(send, number))
        for send in sends.values()
        for number in range(100, 130)
    ]
    await asyncio.sleep(OUTAGE_S)
    await asyncio.to_thread(cluster.start, *victims)

    await asyncio.wait(waiting, timeout=RECOVERY_TIMEOUT_S)
    await all_sent(sends)

    assert all(task.done() for task in waiting)


async def in_order(client: CommandSender) -> list[str]:
    """Send an execution's commands, each when the one before was acknowledged; return their ids."""
    acknowledged: list[str] = []
    while len(acknowledged) < 200:
        number = len(acknowledged)
        if await tried(lambda n: client.send(CANCEL, f"c-{n}"), number):
            acknowledged.append(f"c-{number}")
        await asyncio.sleep(0.05)
    return acknowledged


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
