"""Topics are made as declared, once, and never with another partition count."""

from dataclasses import replace

import pytest

from steplog.admin.topics import AppliedTopic, TopicChange, apply_topics
from steplog.errors import ServiceUnreachable, WrongTopic
from steplog.local.ports import free_ports
from steplog_contracts.topics import Topics, topics_for

pytestmark = pytest.mark.broker


def _changes(applied: list[AppliedTopic]) -> set[TopicChange]:
    return {one.change for one in applied}


async def test_applying_twice_creates_once(kafka_bootstrap: str, topic_namespace: str) -> None:
    topics = tuple(topics_for(topic_namespace))

    first = await apply_topics(kafka_bootstrap, topics)
    second = await apply_topics(kafka_bootstrap, topics)

    assert (_changes(first), _changes(second)) == ({TopicChange.CREATED}, {TopicChange.UNCHANGED})
    assert {one.replication_factor for one in (*first, *second)} == {1}


async def test_declared_settings_are_brought_back(kafka_bootstrap: str, topics: Topics) -> None:
    """And settings that are not declared survive it."""
    tuned = replace(topics.events, config={**topics.events.config, "max.message.bytes": "2000000"})
    bent = replace(topics.events, config={"retention.ms": "60000"})

    changes = [
        (await apply_topics(kafka_bootstrap, [topic]))[0].change
        for topic in (tuned, bent, topics.events, tuned)
    ]

    assert changes == [TopicChange.SETTINGS_CHANGED] * 3 + [TopicChange.UNCHANGED]


async def test_another_partition_count_is_refused_before_anything_is_made(
    kafka_bootstrap: str, topics: Topics, topic_namespace: str
) -> None:
    new = replace(topics.events, name=f"{topic_namespace}.new")
    grown = replace(topics.events, partitions=topics.events.partitions * 2)

    with pytest.raises(WrongTopic, match="has 4 partitions, not 8"):
        await apply_topics(kafka_bootstrap, [new, grown])

    assert _changes(await apply_topics(kafka_bootstrap, [new])) == {TopicChange.CREATED}


async def test_a_refusal_of_the_broker_is_told(kafka_bootstrap: str, topics: Topics) -> None:
    absurd = replace(topics.events, name=f"{topics.events.name}.x", config={"no.such": "setting"})

    with pytest.raises(WrongTopic, match=r"Kafka refuses to create topic .*no\.such"):
        await apply_topics(kafka_bootstrap, [absurd])


async def test_a_broker_that_is_down_is_named(topic_namespace: str) -> None:
    address = f"127.0.0.1:{free_ports(1)[0]}"

    with pytest.raises(ServiceUnreachable, match=address):
        await apply_topics(address, tuple(topics_for(topic_namespace)))
