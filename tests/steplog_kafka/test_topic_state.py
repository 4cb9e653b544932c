"""How topics are kept: made with the replicas asked for, and judged when a service starts."""

from collections.abc import Mapping
from dataclasses import replace

import pytest

from executor_service.adapters.kafka.topics import check_topics
from executor_service.service_errors import WrongTopic as WrongTopicOfExecutor
from steplog.admin.topics import apply_topics
from steplog.errors import WrongTopic
from steplog_contracts.topics import Topic, Topics, topics_for
from steplog_kafka.settings import KafkaSettings
from steplog_kafka.topic_state import TopicState, faults
from tracker_service.log.kafka_consumer import LogRefused, check_topic

EVENTS = topics_for("t", 4).events
PARKED = topics_for("t", 4).parked
PLAIN = KafkaSettings()


def kept(topic: Topic, replicas: int = 1, in_sync: str = "1", **configs: str) -> TopicState:
    """Return a topic as declared, but for what is given."""
    found: Mapping[str, str] = {
        **topic.config,
        "min.insync.replicas": in_sync,
        **{name.replace("_", "."): value for name, value in configs.items()},
    }
    return TopicState(topic.name, topic.partitions, replicas, found)


def test_what_one_broker_has_by_itself_is_no_fault() -> None:
    found = faults(EVENTS, kept(EVENTS), PLAIN)

    assert (found.refusals, found.warnings) == ((), ())


def test_settings_that_may_not_be_read_are_no_fault() -> None:
    unread = TopicState(EVENTS.name, EVENTS.partitions, 1)
    demanding = KafkaSettings(min_insync_replicas=2)

    assert faults(EVENTS, unread, demanding).refusals == ()


@pytest.mark.parametrize(
    ("topic", "state", "settings", "sentence"),
    [
        (EVENTS, kept(EVENTS, cleanup_policy="compact"), PLAIN, "set it to delete"),
        (PARKED, kept(PARKED, cleanup_policy="compact,delete"), PLAIN, "set it to compact"),
        (
            EVENTS,
            kept(EVENTS, replicas=2),
            KafkaSettings(replication_factor=3),
            "has replication factor 2 and STEPLOG_KAFKA_REPLICATION_FACTOR is 3",
        ),
        (
            EVENTS,
            kept(EVENTS, replicas=3),
            KafkaSettings(min_insync_replicas=2),
            "has min.insync.replicas 1 and STEPLOG_KAFKA_MIN_INSYNC_REPLICAS is 2",
        ),
    ],
)
def test_what_loses_records_or_is_less_than_demanded_is_refused(
    topic: Topic, state: TopicState, settings: KafkaSettings, sentence: str
) -> None:
    (refusal,) = faults(topic, state, settings).refusals

    assert sentence in refusal


@pytest.mark.parametrize(
    ("topic", "state", "sentence"),
    [
        (EVENTS, kept(EVENTS, retention_ms="604800000"), "retention.ms 604800000 and -1 is meant"),
        (EVENTS, kept(EVENTS, retention_bytes="1000"), "retention.bytes 1000 and -1 is meant"),
        (EVENTS, kept(EVENTS, in_sync="2"), "it protects nothing or can't be written to"),
    ],
)
def test_what_a_person_may_have_chosen_is_a_warning(
    topic: Topic, state: TopicState, sentence: str
) -> None:
    found = faults(topic, state, PLAIN)

    assert found.refusals == ()
    assert sentence in found.warnings[0]


def test_longer_than_declared_is_no_fault() -> None:
    commands = topics_for("t", 4).commands

    assert faults(commands, kept(commands, retention_ms="-1"), PLAIN).warnings == ()


@pytest.mark.broker
async def test_topics_get_the_brokers_own_replicas_and_what_is_set(
    kafka_bootstrap: str, topic_namespace: str
) -> None:
    """One broker has one replica; more than it can have is refused by it."""
    topics = tuple(topics_for(topic_namespace, 2))
    settings = KafkaSettings(bootstrap_servers=kafka_bootstrap, min_insync_replicas=1)

    with pytest.raises(WrongTopic, match=r"Kafka refuses to create topic .*[Rr]eplication"):
        await apply_topics(settings, topics, 3)
    applied = await apply_topics(settings, topics)

    assert {one.topic.config["min.insync.replicas"] for one in applied} == {"1"}


@pytest.mark.broker
async def test_another_number_of_replicas_is_refused_and_changes_nothing(
    kafka_bootstrap: str, topics: Topics
) -> None:
    bent = replace(topics.events, config={"retention.ms": "60000"})

    with pytest.raises(WrongTopic, match="has replication factor 1, not 3, and that can't be"):
        await apply_topics(kafka_bootstrap, [bent], 3)

    (applied,) = await apply_topics(kafka_bootstrap, [topics.events], 1)
    assert applied.change == "unchanged"


@pytest.mark.broker
async def test_both_services_refuse_events_that_are_compacted(
    kafka_bootstrap: str, topics: Topics
) -> None:
    compacted = replace(topics.events, config={"cleanup.policy": "compact"})
    await apply_topics(kafka_bootstrap, [compacted])

    with pytest.raises(WrongTopicOfExecutor, match=r"cleanup\.policy compact"):
        await check_topics(kafka_bootstrap, tuple(topics))
    with pytest.raises(LogRefused, match=r"cleanup\.policy compact"):
        await check_topic(kafka_bootstrap, topics.events)


@pytest.mark.broker
async def test_both_services_refuse_fewer_replicas_than_are_demanded(
    kafka_bootstrap: str, topics: Topics
) -> None:
    demanding = KafkaSettings(bootstrap_servers=kafka_bootstrap, replication_factor=3)

    with pytest.raises(WrongTopicOfExecutor, match="has replication factor 1"):
        await check_topics(demanding, tuple(topics))
    with pytest.raises(LogRefused, match="has replication factor 1"):
        await check_topic(demanding, topics.events)
