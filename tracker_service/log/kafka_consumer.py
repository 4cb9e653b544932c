"""The events topic read without a group: does it exist, how many partitions, where they end."""

import asyncio

import structlog
from aiokafka.errors import KafkaError

from steplog_contracts.topics import Topic
from steplog_kafka.clients import make_admin
from steplog_kafka.connection import close, problem_of, start
from steplog_kafka.errors import KafkaProblem
from steplog_kafka.reader import LogReader
from steplog_kafka.settings import Kafka, kafka_settings
from steplog_kafka.topic_state import TopicState, faults, read_topics
from tracker_service.log.events_log import LogBounds
from tracker_service.projections.errors import TrackerError

# A topic made a moment ago may not be in the metadata of the broker asked.
METADATA_ATTEMPTS = 10
METADATA_DELAY_S = 0.5

log = structlog.get_logger(__name__)


class LogRefused(TrackerError):
    """The events topic can't be read as it is; the text names the remedy."""


async def read_bounds(kafka: Kafka, topic: str) -> LogBounds:
    """Return where the topic's partitions begin and end.

    Raises:
        LogRefused: no broker answers, or the topic does not exist.
    """
    for _ in range(METADATA_ATTEMPTS):
        try:
            async with LogReader(kafka) as reader:
                if places := await reader.places(topic):
                    return LogBounds(await reader.begins(places), await reader.ends(places))
        except KafkaProblem as error:
            raise LogRefused(str(error)) from error
        await asyncio.sleep(METADATA_DELAY_S)
    await read_topic(kafka, topic)
    servers = kafka_settings(kafka).bootstrap_servers
    raise LogRefused(
        f"The topic {topic} does not exist at {servers}; create it with `steplog topics apply`."
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
