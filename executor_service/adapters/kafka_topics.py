"""What must be true of the topics before anything is written to them."""

import asyncio
import math
from collections.abc import Sequence

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError

from executor_service.service_errors import LogUnreachable, WrongTopic
from steplog_contracts.topics import Topic
from steplog_kafka.clients import make_admin
from steplog_kafka.connection import start
from steplog_kafka.errors import KafkaUnreachable
from steplog_kafka.settings import Kafka

CONNECT_ATTEMPTS = 30
CONNECT_DELAY_S = 1.0
MS_PER_H = 3_600_000
_UNKNOWN_MS = -2


async def check_topics(kafka: Kafka, topics: Sequence[Topic]) -> None:
    """Return when every topic exists with its partition count.

    Raises:
        KafkaRefused: a broker does not let this client in.
        LogUnreachable: no broker answered in `CONNECT_ATTEMPTS` tries.
        WrongTopic: a topic is missing or has another partition count.
    """
    admin = await _connected(kafka)
    try:
        described = await admin.describe_topics([topic.name for topic in topics])
    finally:
        await admin.close()
    counts = {d["topic"]: len(d["partitions"]) for d in described if d["error_code"] == 0}
    for topic in topics:
        found = counts.get(topic.name)
        if found is None:
            raise WrongTopic(
                f"Topic {topic.name} does not exist; create it with `steplog topics apply`."
            )
        if found != topic.partitions:
            raise WrongTopic(
                f"Topic {topic.name} has {found} partitions and {topic.partitions} are configured; "
                "the count never changes after creation: set STEPLOG_PARTITIONS to "
                f"{found} or use another STEPLOG_TOPIC_NAMESPACE."
            )


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
