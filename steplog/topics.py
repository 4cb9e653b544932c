"""Make the topics as declared, or refuse: the one place that creates them.

A partition count is never changed: keys would move between partitions and order would break. All
topics are checked before the first one is created, so a refusal changes nothing.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError, TopicAlreadyExistsError, for_code

from steplog.errors import ServiceUnreachable, WrongTopic
from steplog_contracts.topics import Topic
from steplog_kafka.clients import make_admin
from steplog_kafka.connection import problem_of, start
from steplog_kafka.errors import KafkaProblem
from steplog_kafka.settings import Kafka, kafka_settings

VISIBLE_TIMEOUT_S = 15.0
VISIBLE_INTERVAL_S = 0.05
# Source: Kafka protocol, DescribeConfigs: the source of a value set for this very topic.
_SET_FOR_TOPIC = 1
_NO_LEADER = -1


class TopicChange(StrEnum):
    """What applying did to one topic."""

    CREATED = "created"
    SETTINGS_CHANGED = "settings changed"
    UNCHANGED = "unchanged"


@dataclass(frozen=True, slots=True)
class AppliedTopic:
    """A topic and what was done to it."""

    topic: Topic
    change: TopicChange


async def apply_topics(
    kafka: Kafka, topics: Sequence[Topic], replication_factor: int = 1
) -> list[AppliedTopic]:
    """Create missing topics and set declared settings; settings not declared are left alone.

    Raises:
        ServiceUnreachable: no broker answers, or it does not let this client in.
        WrongTopic: a topic exists with another partition count, or the broker refuses one.
    """
    settings = kafka_settings(kafka)
    admin = make_admin(settings)
    try:
        await start(admin, settings)
        try:
            return await _apply(admin, topics, replication_factor)
        finally:
            await admin.close()
    except (KafkaError, OSError, KafkaProblem) as error:
        raise ServiceUnreachable(str(await problem_of(error, settings))) from error


async def _apply(
    admin: AIOKafkaAdminClient, topics: Sequence[Topic], replication_factor: int
) -> list[AppliedTopic]:
    counts = await _partition_counts(admin, topics)
    _refuse_other_counts(topics, counts)
    missing = [topic for topic in topics if topic.name not in counts]
    await _create(admin, missing, replication_factor)
    await _until_visible(admin, missing)
    return [
        AppliedTopic(topic, TopicChange.CREATED)
        if topic in missing
        else AppliedTopic(topic, await _set_declared(admin, topic))
        for topic in topics
    ]


def _refuse_other_counts(topics: Sequence[Topic], counts: Mapping[str, int]) -> None:
    for topic in topics:
        found = counts.get(topic.name, topic.partitions)
        if found != topic.partitions:
            raise WrongTopic(
                f"Topic {topic.name} has {found} partitions, not {topic.partitions}, and a count "
                f"never changes after creation; declare {found} (STEPLOG_PARTITIONS={found}) or "
                "use another STEPLOG_TOPIC_NAMESPACE."
            )


async def _partition_counts(
    admin: AIOKafkaAdminClient, topics: Sequence[Topic]
) -> Mapping[str, int]:
    described = await admin.describe_topics([topic.name for topic in topics])
    return {one["topic"]: len(one["partitions"]) for one in described if one["error_code"] == 0}


async def _create(
    admin: AIOKafkaAdminClient, topics: Sequence[Topic], replication_factor: int
) -> None:
    if not topics:
        return
    response = await admin.create_topics(
        [
            NewTopic(topic.name, topic.partitions, replication_factor, topic_configs=topic.config)
            for topic in topics
        ]
    )
    for name, code, message in response.topic_errors:
        error = for_code(code)
        # Somebody else was quicker with the same declaration: as good as ours.
        if code != 0 and error is not TopicAlreadyExistsError:
            raise WrongTopic(f"Kafka refuses to create topic {name}: {message or error.__name__}")


async def _until_visible(admin: AIOKafkaAdminClient, topics: Sequence[Topic]) -> None:
    """Wait until every partition has a leader: the controller answers before brokers know."""
    names = [topic.name for topic in topics]
    if not names:
        return
    async with asyncio.timeout(VISIBLE_TIMEOUT_S):
        # A broker tells nobody when it has learnt of a topic, so it is asked again.
        while not all(_is_led(one) for one in await admin.describe_topics(names)):  # noqa: ASYNC110
            await asyncio.sleep(VISIBLE_INTERVAL_S)


def _is_led(described: Mapping[str, object]) -> bool:
    partitions = described["partitions"]
    assert isinstance(partitions, list)
    return described["error_code"] == 0 and all(one["leader"] != _NO_LEADER for one in partitions)


async def _set_declared(admin: AIOKafkaAdminClient, topic: Topic) -> TopicChange:
    found = await _settings_of(admin, topic.name)
    if all(found.get(name) == value for name, value in topic.config.items()):
        return TopicChange.UNCHANGED
    # The request replaces all settings of the topic, so those found are sent along.
    wanted = {**found, **topic.config}
    await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic.name, wanted)])
    async with asyncio.timeout(VISIBLE_TIMEOUT_S):
        # As with a new topic: the controller has it before the broker that is asked.
        while await _settings_of(admin, topic.name) != wanted:  # noqa: ASYNC110
            await asyncio.sleep(VISIBLE_INTERVAL_S)
    return TopicChange.SETTINGS_CHANGED


async def _settings_of(admin: AIOKafkaAdminClient, name: str) -> dict[str, str]:
    answers = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, name)])
    entries = answers[0].to_object()["resources"][0]["config_entries"]
    return {
        one["config_names"]: one["config_value"]
        for one in entries
        if one["config_source"] == _SET_FOR_TOPIC
    }
