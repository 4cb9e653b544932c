"""The events topic read without a group: does it exist, how many partitions, where they end."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from steplog_contracts.topics import Topic
from steplog_kafka.clients import make_admin, make_consumer
from steplog_kafka.connection import close, problem_of, start
from steplog_kafka.errors import KafkaProblem
from steplog_kafka.settings import Kafka, kafka_settings
from steplog_kafka.topic_state import TopicState, faults, read_topics
from tracker_service.log.events_log import LogBounds
from tracker_service.projections.errors import TrackerError

DEFAULT_FETCH_BYTES = 1024 * 1024
DEFAULT_FETCH_WAIT_MS = 500
# A topic made a moment ago may not be in the metadata of the broker asked.
METADATA_ATTEMPTS = 10
METADATA_DELAY_S = 0.5

log = structlog.get_logger(__name__)


class LogRefused(TrackerError):
    """The events topic can't be read as it is; the text names the remedy."""


@asynccontextmanager
async def log_consumer(
    kafka: Kafka,
    fetch_bytes: int = DEFAULT_FETCH_BYTES,
    fetch_wait_ms: int = DEFAULT_FETCH_WAIT_MS,
) -> AsyncIterator[AIOKafkaConsumer]:
    """Yield a connected consumer without a group, which fetches so much of a partition at once.

    `fetch_wait_ms`: how long the broker holds a request for records that are not there yet. One
    that is held keeps the next from being sent, so whoever goes from place to place wants it short.

    Raises:
        LogRefused: no broker answers, or it does not let this client in.
    """
    settings = kafka_settings(kafka)
    consumer = make_consumer(
        settings,
        auto_offset_reset="none",
        max_partition_fetch_bytes=fetch_bytes,
        fetch_max_wait_ms=fetch_wait_ms,
    )
    try:
        try:
            await start(consumer, settings)
        except KafkaProblem as error:
            raise LogRefused(str(error)) from error
        # Stopped before its tasks ever ran, aiokafka lets their CancelledError out.
        await asyncio.sleep(0)
        yield consumer
    finally:
        await consumer.stop()


async def read_bounds(kafka: Kafka, topic: str) -> LogBounds:
    """Return where the topic's partitions begin and end.

    Raises:
        LogRefused: no broker answers, or the topic does not exist.
    """
    for _ in range(METADATA_ATTEMPTS):
        bounds = await _known_bounds(kafka, topic)
        if bounds is not None:
            return bounds
        await asyncio.sleep(METADATA_DELAY_S)
    await read_topic(kafka, topic)
    servers = kafka_settings(kafka).bootstrap_servers
    raise LogRefused(
        f"The topic {topic} does not exist at {servers}; create it with `steplog topics apply`."
    )


async def _known_bounds(kafka: Kafka, topic: str) -> LogBounds | None:
    """Return the bounds, or None while the broker's metadata does not have the topic."""
    async with log_consumer(kafka) as consumer:
        # The consumer knows only topics it reads; the broker is asked for all of them.
        cluster = await consumer._client.fetch_all_metadata()
        numbers = cluster.partitions_for_topic(topic)
        if not numbers:
            return None
        partitions = [TopicPartition(topic, number) for number in sorted(numbers)]
        begins = await consumer.beginning_offsets(partitions)
        ends = await consumer.end_offsets(partitions)
        return LogBounds(
            {tp.partition: offset for tp, offset in begins.items()},
            {tp.partition: offset for tp, offset in ends.items()},
        )


async def read_topic(kafka: Kafka, topic: str) -> TopicState | None:
    """Return how the brokers keep a topic, None if it does not exist.

    Raises:
        LogRefused: no broker answers, or this client may not see the topic: to a consumer that is
            as if it weren't there.
    """
    settings = kafka_settings(kafka)
    admin = make_admin(settings)
    try:
        await start(admin, settings)
        return (await read_topics(admin, [topic])).get(topic)
    except (KafkaError, KafkaProblem) as error:
        raise LogRefused(str(await problem_of(error, settings))) from error
    finally:
        await close(admin)


async def check_topic(kafka: Kafka, topic: Topic) -> None:
    """Refuse a topic that is kept so that events are lost; log what is doubtful.

    Raises:
        LogRefused: it is kept so, or with fewer replicas than the settings demand.
    """
    state = await read_topic(kafka, topic.name)
    if state is None:
        return
    found = faults(topic, state, kafka_settings(kafka))
    for sentence in found.refusals:
        raise LogRefused(sentence)
    for sentence in found.warnings:
        log.warning("topic_doubtful", reason=sentence)


def check_count(topic: str, bounds: LogBounds, known: int, wanted: int | None) -> None:
    """Refuse a log whose number of partitions does not fit the rows.

    Args:
        topic: for the sentence.
        bounds: where the log's partitions begin and end.
        known: partitions the rows were made from; 0 at the first start.
        wanted: partitions as configured, or None.

    Raises:
        LogRefused: another number of partitions.
    """
    count = len(bounds.ends)
    for source, number in (("STEPLOG_PARTITIONS", wanted), ("the rows", known)):
        if number and number != count:
            raise LogRefused(
                f"The topic {topic} has {count} partitions but {source} say {number}; the count "
                "of an events topic never changes. Restore the topic, or use a new database."
            )
