"""How topics are kept on the brokers, and what of it breaks a promise of ours.

Refused: what loses data or makes order meaningless, and less than was asked for by a setting.
Warned of: what a person may have chosen, such as a history that is not kept for ever.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import TopicAuthorizationFailedError

from steplog_contracts.topics import Topic
from steplog_kafka.settings import KafkaSettings

# Source of a value set for this very topic; DescribeConfigs of the Kafka protocol.
_SET_FOR_TOPIC: Final = 1
_MAY_NOT_BE_SEEN: Final = TopicAuthorizationFailedError.errno
CLEANUP, MIN_ISR = "cleanup.policy", "min.insync.replicas"
_KEPT: Final = ("retention.ms", "retention.bytes")
_FOR_EVER: Final = -1


@dataclass(frozen=True, slots=True)
class TopicState:
    """A topic as the brokers have it; configs are empty where they may not be read."""

    name: str
    partitions: int
    replication_factor: int  # Of the partition that has the fewest replicas.
    configs: Mapping[str, str] = field(default_factory=dict)
    own_configs: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TopicFaults:
    """What is wrong with a topic, in sentences: what forbids to go on, and what does not."""

    refusals: Sequence[str]
    warnings: Sequence[str]


async def read_topics(admin: AIOKafkaAdminClient, names: Sequence[str]) -> dict[str, TopicState]:
    """Return the topics that exist, by name.

    Raises:
        TopicAuthorizationFailedError: one may not be seen by this client.
    """
    described = await admin.describe_topics(list(names))
    hidden = {one["topic"] for one in described if one["error_code"] == _MAY_NOT_BE_SEEN}
    if hidden:
        raise TopicAuthorizationFailedError(hidden)
    found = {}
    for one in described:
        if one["error_code"] == 0:
            effective, own = await _configs(admin, one["topic"])
            replicas = min((len(part["replicas"]) for part in one["partitions"]), default=0)
            found[one["topic"]] = TopicState(
                one["topic"], len(one["partitions"]), replicas, effective, own
            )
    return found


async def _configs(admin: AIOKafkaAdminClient, name: str) -> tuple[dict[str, str], dict[str, str]]:
    answers = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, name)])
    resource = answers[0].to_object()["resources"][0]
    if resource["error_code"]:
        return {}, {}
    entries = resource["config_entries"]
    effective = {one["config_names"]: one["config_value"] for one in entries}
    own = {
        one["config_names"]: one["config_value"]
        for one in entries
        if one["config_source"] == _SET_FOR_TOPIC
    }
    return effective, own


def faults(topic: Topic, state: TopicState, settings: KafkaSettings) -> TopicFaults:
    """Return what is wrong with how a topic is kept."""
    return TopicFaults(tuple(_refusals(topic, state, settings)), tuple(_warnings(topic, state)))


def _refusals(topic: Topic, state: TopicState, settings: KafkaSettings) -> Iterator[str]:
    wanted = settings.replication_factor
    if wanted is not None and state.replication_factor < wanted:
        yield (
            f"Topic {topic.name} has replication factor {state.replication_factor} and "
            f"STEPLOG_KAFKA_REPLICATION_FACTOR is {wanted}; reassign its partitions to more "
            "brokers (kafka-reassign-partitions), or lower the setting."
        )
    in_sync = _number(state, MIN_ISR)
    wanted = settings.min_insync_replicas
    if wanted is not None and in_sync is not None and in_sync < wanted:
        yield (
            f"Topic {topic.name} has {MIN_ISR} {in_sync} and STEPLOG_KAFKA_MIN_INSYNC_REPLICAS "
            f"is {wanted}; set it with `steplog topics apply`, or lower the setting."
        )
    policy, declared = state.configs.get(CLEANUP), topic.config.get(CLEANUP)
    if policy is not None and declared is not None and policy != declared:
        yield (
            f"Topic {topic.name} has {CLEANUP} {policy}, by which records that are needed are "
            f"removed; set it to {declared} with `steplog topics apply`."
        )


def _warnings(topic: Topic, state: TopicState) -> Iterator[str]:
    in_sync = _number(state, MIN_ISR)
    if in_sync is not None and in_sync > state.replication_factor:
        yield (
            f"Topic {topic.name} has {MIN_ISR} {in_sync} and replication factor "
            f"{state.replication_factor}, so it protects nothing or can't be written to; "
            "reassign its partitions to more brokers."
        )
    for name in _KEPT:
        found, declared = _number(state, name), topic.config.get(name)
        if found is None or declared is None or found == _FOR_EVER:
            continue
        if int(declared) == _FOR_EVER or found < int(declared):
            yield (
                f"Topic {topic.name} has {name} {found} and {declared} is meant, so records are "
                "removed that are still needed; set it with `steplog topics apply`."
            )


def _number(state: TopicState, name: str) -> int | None:
    value = state.configs.get(name)
    return int(value) if value is not None and value.lstrip("-").isdecimal() else None
