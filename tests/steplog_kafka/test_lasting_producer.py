"""A producer comes to a connection although brokers that are asked say nothing."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager

import pytest
from aiokafka.errors import UnknownTopicOrPartitionError

from steplog.local.ports import LOOPBACK
from steplog_contracts.envelope import Record
from steplog_contracts.topics import Topics
from steplog_kafka.errors import KafkaProblem, KafkaSilent
from steplog_kafka.producer import LastingProducer
from steplog_kafka.settings import KafkaSettings, local_kafka

pytestmark = pytest.mark.broker
REQUEST_TIMEOUT_MS = 1_000
TRIES = 20
# Two of them, for the versions and the brokers, take longer than a delivery.
ANSWER_S = 0.8 * REQUEST_TIMEOUT_MS / 1000


@pytest.fixture
def silent() -> Iterator[list[str]]:
    """Return addresses that take connections and say nothing, as those of frozen brokers."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.create_server((LOOPBACK, 0))) for _ in range(3)]
        yield [f"{LOOPBACK}:{one.getsockname()[1]}" for one in sockets]


def settings(*addresses: str) -> KafkaSettings:
    return local_kafka(",".join(addresses)).model_copy(
        update={"request_timeout_ms": REQUEST_TIMEOUT_MS}
    )


@asynccontextmanager
async def slow(address: str) -> AsyncIterator[str]:
    """Yield an address at which every answer of a broker is almost too late."""
    host, port = address.split(",", maxsplit=1)[0].rsplit(":", maxsplit=1)

    async def carry(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter, by_s: float
    ) -> None:
        while part := await reader.read(65_536):
            await asyncio.sleep(by_s)
            writer.write(part)
        writer.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        to_reader, to_writer = await asyncio.open_connection(host, int(port))
        await asyncio.gather(
            carry(reader, to_writer, 0.0),
            carry(to_reader, writer, ANSWER_S),
            return_exceptions=True,
        )

    server = await asyncio.start_server(serve, LOOPBACK, 0)
    try:
        yield "{}:{}".format(*server.sockets[0].getsockname())
    finally:
        server.close()


async def test_a_connection_takes_longer_than_a_delivery_and_still_comes_about(
    kafka_bootstrap: str, topics: Topics
) -> None:
    """Were it begun again by each delivery, no delivery would ever have one."""
    async with slow(kafka_bootstrap) as address:
        producer = LastingProducer(settings(address))
        refused = 0
        try:
            for _ in range(TRIES):
                try:
                    await producer.deliver(topics.commands.name, Record(b"k", b"v", []))
                    break
                except KafkaSilent:
                    refused += 1
        finally:
            await producer.stop()

    assert 0 < refused < TRIES


async def test_no_answer_at_all_is_no_missing_topic(silent: list[str]) -> None:
    producer = LastingProducer(settings(silent[0]))
    try:
        with pytest.raises(KafkaProblem):
            await producer.deliver("some-topic", Record(b"k", b"v", []))
        with pytest.raises(KafkaProblem):
            await producer.partitions("some-topic")
    finally:
        await producer.stop()


async def test_a_missing_topic_is_still_said_to_be_missing(kafka_bootstrap: str) -> None:
    producer = LastingProducer(settings(kafka_bootstrap))
    try:
        with pytest.raises(UnknownTopicOrPartitionError):
            await producer.partitions("there-is-no-such-topic")
    finally:
        await producer.stop()


async def test_who_waits_for_a_connection_hears_that_it_was_closed(silent: list[str]) -> None:
    producer = LastingProducer(settings(*silent))
    waiting = asyncio.create_task(producer.current())
    await asyncio.sleep(0.1)

    await producer.stop()

    with pytest.raises(KafkaSilent):
        await waiting
