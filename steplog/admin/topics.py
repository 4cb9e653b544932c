"""Make the topics as declared, or refuse: the one place that creates them.

A partition count is never changed: keys would move between partitions and order would break. All
topics are checked before the first one is created, so a refusal changes nothing.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import (
    ClusterAuthorizationFailedError,
    KafkaError,
    TopicAlreadyExistsError,
    TopicAuthorizationFailedError,
    for_code,
)

from steplog.errors import ServiceUnreachable, WrongTopic
from steplog_contracts.topics import Topic
from steplog_kafka.clients import make_admin
from steplog_kafka.connection import problem_of, start
from steplog_kafka.errors import KafkaProblem
from steplog_kafka.settings import Kafka, KafkaSettings, kafka_settings
from steplog_kafka.topic_state import MIN_ISR, TopicState, read_topics

VISIBLE_TIMEOUT_S = 15.0
VISIBLE_INTERVAL_S = 0.05
_NO_LEADER = -1
_BROKERS_DEFAULT = -1


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
    replication_factor: int  # As the brokers have it now.


async def apply_topics(
    kafka: Kafka, topics: Sequence[Topic], replication_factor: int | None = None
) -> list[AppliedTopic]:
    """Create missing topics and set declared settings; settings not declared are left alone.

    How many replicas a topic gets is `replication_factor`, else the setting
    STEPLOG_KAFKA_REPLICATION_FACTOR, else what the brokers have for their default.

    Raises:
        ServiceUnreachable: no broker answers, or it does not let this client in.
        WrongTopic: a topic exists with another partition count or fewer or more replicas than
            asked for, or the broker refuses one.
    """
    settings = kafka_settings(kafka)
    admin = make_admin(settings)
    try:
        await start(admin, settings)
        try:
            return await _apply(
                admin,
                [_with_min_in_sync(topic, settings) for topic in topics],
                replication_factor or settings.replication_factor,
            )
        finally:
            await admin.close()
    except (KafkaError, OSError, KafkaProblem) as error:
        raise ServiceUnreachable(str(await problem_of(error, settings))) from error


async def _apply(
    admin: AIOKafkaAdminClient, topics: Sequence[Topic], replication_factor: int | None
) -> list[AppliedTopic]:
    found = await read_topics(admin, [topic.name for topic in topics])
    _refuse_other_counts(topics, found)
    _refuse_other_replicas(found, replication_factor)
    missing = [topic for topic in topics if topic.name not in found]
    await _create(admin, missing, replication_factor or _BROKERS_DEFAULT)
    replicas = {name: state.replication_factor for name, state in found.items()}
    replicas |= await _until_visible(admin, missing)
    changes = {
        topic.name: await _set_declared(admin, topic, found[topic.name])
        for topic in topics
        if topic not in missing
    }
    return [
        AppliedTopic(
            topic,
            changes.get(topic.name, TopicChange.CREATED),
            replicas[topic.name],
        )
        for topic in topics
    ]


def _with_min_in_sync(topic: Topic, settings: KafkaSettings) -> Topic:
    """Return the topic with the number of replicas that must have a record, where one is set."""
    if settings.min_insync_replicas is None:
        return topic
    return replace(topic, config={MIN_ISR: str(settings.min_insync_replicas), **topic.config})


def _refuse_other_replicas(states: Mapping[str, TopicState], wanted: int | None) -> None:
    for state in states.values():
        if wanted is not None and state.replication_factor != wanted:
            raise WrongTopic(
                f"Topic {state.name} has replication factor {state.replication_factor}, not "
                f"{wanted}, and that can't be changed here; reassign its partitions with "
                "kafka-reassign-partitions, or declare what it has."
            )


def _refuse_other_counts(topics: Sequence[Topic], states: Mapping[str, TopicState]) -> None:
    for topic in topics:
        state = states.get(topic.name)
        found = topic.partitions if state is None else state.partitions
        if found != topic.partitions:
            raise WrongTopic(
                f"Topic {topic.name} has {found} partitions, not {topic.partitions}, and a count "
                f"never changes after creation; declare {found} (STEPLOG_PARTITIONS={found}) or "
                "use another STEPLOG_TOPIC_NAMESPACE."
            )


async def _create(
    admin: AIOKafkaAdminClient, topics: Sequence[Topic], replication_factor: int
) -> None:
    if not topics:
        return
    response = await admin.create_topics([_new(topic, replication_factor) for topic in topics])
    for name, code, message in response.topic_errors:
        error = for_code(code)
        # Somebody else was quicker with the same declaration: as good as ours.
        if issubclass(error, TopicAuthorizationFailedError | ClusterAuthorizationFailedError):
            raise error(name)
        if code != 0 and error is not TopicAlreadyExistsError:
            raise WrongTopic(f"Kafka refuses to create topic {name}: {message or error.__name__}")


def _new(topic: Topic, replication_factor: int) -> NewTopic:
    new = NewTopic(topic.name, topic.partitions, 1, topic_configs=dict(topic.config))
    # Afterwards, since its constructor refuses the number that means the brokers' default.
    new.replication_factor = replication_factor
    return new


async def _until_visible(admin: AIOKafkaAdminClient, topics: Sequence[Topic]) -> dict[str, int]:
    """Wait until every partition has a leader: the controller answers before brokers know.

    Returns how many replicas each has; another broker may still not know of it.
    """
    names = [topic.name for topic in topics]
    if not names:
        return {}
    async with asyncio.timeout(VISIBLE_TIMEOUT_S):
        # A broker tells nobody when it has learnt of a topic, so it is asked again.
        while True:
            told = await admin.describe_topics(names)
            if all(_is_led(one) for one in told):
                break
            await asyncio.sleep(VISIBLE_INTERVAL_S)
    return {one["topic"]: min(len(part["replicas"]) for part in one["partitions"]) for one in told}


def _is_led(described: Mapping[str, object]) -> bool:
    partitions = described["partitions"]
    assert isinstance(partitions, list)
    return described["error_code"] == 0 and all(one["leader"] != _NO_LEADER for one in partitions)


async def _set_declared(admin: AIOKafkaAdminClient, topic: Topic, state: TopicState) -> TopicChange:
    found = state.own_configs
    if all(found.get(name) == value for name, value in topic.config.items()):
        return TopicChange.UNCHANGED
    # The request replaces all settings of the topic, so those found are sent along.
    wanted = {**found, **topic.config}
    answers = await admin.alter_configs(
        [ConfigResource(ConfigResourceType.TOPIC, topic.name, wanted)]
    )
    for code, message, *_ in (one for answer in answers for one in answer.resources):
        if code:
            raise _refused(topic.name, code, message)
    async with asyncio.timeout(VISIBLE_TIMEOUT_S):
        # As with a new topic: the controller has it before the broker that is asked.
        while (await read_topics(admin, [topic.name]))[topic.name].own_configs != wanted:  # noqa: ASYNC110
            await asyncio.sleep(VISIBLE_INTERVAL_S)
    return TopicChange.SETTINGS_CHANGED


def _refused(name: str, code: int, message: str | None) -> Exception:
    error: type[Exception] = for_code(code)
    if issubclass(error, TopicAuthorizationFailedError | ClusterAuthorizationFailedError):
        raise error(name)
    return WrongTopic(f"Kafka refuses the settings of topic {name}: {message or error.__name__}")
