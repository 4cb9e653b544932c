"""Membership of the executors' group on a real broker, when the broker knows less than it will."""

import asyncio
from collections.abc import Iterable

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions

from executor_service.adapters.kafka.command_source import KafkaCommandSource
from steplog.admin.topics import apply_topics
from steplog_contracts.topics import Topics, topics_for

PARTITIONS = 2
GIVEN_TIMEOUT_S = 30.0
pytestmark = pytest.mark.broker


class Given:
    """Keeps what the group assigns; satisfies `AssignmentListener`."""

    def __init__(self) -> None:
        self.partitions: set[int] = set()
        self._changed = asyncio.Condition()

    async def exactly(self, partitions: set[int]) -> None:
        """Return once these are assigned, and no others."""
        async with self._changed, asyncio.timeout(GIVEN_TIMEOUT_S):
            await self._changed.wait_for(lambda: self.partitions == partitions)

    async def revoked(self, partitions: Iterable[int]) -> None:
        """Nothing is held back."""

    async def assigned(self, partitions: Iterable[int]) -> None:
        """Note them; an empty assignment is one too."""
        async with self._changed:
            self.partitions = set(partitions)
            self._changed.notify_all()


async def grow(bootstrap_servers: str, topic: str, partitions: int) -> None:
    """Give a topic more partitions."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap_servers)
    await admin.start()
    try:
        await admin.create_partitions({topic: NewPartitions(partitions)})
    finally:
        await admin.close()


def a_member(bootstrap_servers: str, topics: Topics) -> KafkaCommandSource:
    """Return a group member that is not yet started."""
    return KafkaCommandSource(
        bootstrap_servers,
        topic=topics.commands.name,
        dead_topic=topics.dead_commands.name,
        group_id=f"{topics.commands.name}.group",
        session_timeout_ms=6_000,
    )


async def test_a_member_sees_within_seconds_that_the_broker_knows_more_than_before(
    kafka_bootstrap: str, topic_namespace: str
) -> None:
    """A broker that was just started may answer as if it had fewer partitions, or none."""
    topics, given = topics_for(topic_namespace, 1), Given()
    await apply_topics(kafka_bootstrap, tuple(topics))
    member = a_member(kafka_bootstrap, topics)
    await member.start(given)
    try:
        await given.exactly({0})
        await grow(kafka_bootstrap, topics.commands.name, PARTITIONS)
        await given.exactly({0, 1})
    finally:
        await member.stop()

    assert given.partitions == {0, 1}
