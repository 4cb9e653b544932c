"""What must be true of the topics before anything is written to them."""

import asyncio
import math
from collections.abc import Sequence

import structlog
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError

from executor_service.service_errors import LogUnreachable, WrongTopic
from steplog_contracts.topics import Topic
from steplog_kafka.clients import make_admin
from steplog_kafka.connection import problem_of, start
from steplog_kafka.errors import KafkaUnreachable
from steplog_kafka.settings import Kafka, KafkaSettings, kafka_settings
from steplog_kafka.topic_state import TopicState, faults, read_topics

CONNECT_ATTEMPTS = 30
CONNECT_DELAY_S = 1.0
MS_PER_H = 3_600_000
_UNKNOWN_MS = -2

_log = structlog.get_logger(__name__)


async def check_topics(kafka: Kafka, topics: Sequence[Topic]) -> None:
    """Return when every topic exists as it must; log what is doubtful about one.

    Raises:
        KafkaRefused: a broker does not let this client in, or a right is missing.
        LogUnreachable: no broker answered in `CONNECT_ATTEMPTS` tries.
        WrongTopic: a topic is missing, has another partition count, or is kept so that records
            are lost.
    """
    settings = kafka_settings(kafka)
    admin = await _connected(settings)
    try:
        states = await read_topics(admin, [topic.name for topic in topics])
    except KafkaError as error:
        raise await problem_of(error, settings) from error
    finally:
        await admin.close()
    for topic in topics:
        _check(topic, states.get(topic.name), settings)


def _check(topic: Topic, state: TopicState | None, settings: KafkaSettings) -> None:
    if state is None:
        raise WrongTopic(
            f"Topic {topic.name} does not exist; create it with `steplog topics apply`."
        )
    if state.partitions != topic.partitions:
        raise WrongTopic(
            f"Topic {topic.name} has {state.partitions} partitions and {topic.partitions} are "
            "configured; the count never changes after creation: set STEPLOG_PARTITIONS to "
            f"{state.partitions} or use another STEPLOG_TOPIC_NAMESPACE."
        )
    found = faults(topic, state, settings)
    for sentence in found.refusals:
        raise WrongTopic(sentence)
    for sentence in found.warnings:
        _log.warning("topic_doubtful", reason=sentence)


async def commands_retention_h(kafka: Kafka, topic: str) -> float | None:
    """Return how long a topic keeps its records, infinity for ever; None where it can't be told."""
    admin = await _connected(kafka)
    try:
        answers = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, topic)])
        entries = answers[0].to_object()["resources"][0]["config_entries"]
    except KafkaError:
        return None  # This client may have no right to ask.
    finally:
        await admin.close()
    found = {one["config_names"]: one["config_value"] for one in entries}
    retention_ms = int(found.get("retention.ms", _UNKNOWN_MS))
    if retention_ms == _UNKNOWN_MS:
        return None
    return math.inf if retention_ms < 0 else retention_ms / MS_PER_H


async def _connected(kafka: Kafka) -> AIOKafkaAdminClient:
    for attempt in range(1, CONNECT_ATTEMPTS + 1):
        admin = make_admin(kafka)
        try:
            await start(admin, kafka)
        except KafkaUnreachable as error:
            if attempt == CONNECT_ATTEMPTS:
                raise LogUnreachable(str(error)) from error
            await asyncio.sleep(CONNECT_DELAY_S)
        else:
            return admin
    raise AssertionError("unreachable: the last attempt returns or raises")
