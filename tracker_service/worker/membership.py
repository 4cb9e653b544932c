"""Group membership that stops nobody: a worker keeps its partitions while the group rebalances.

Eager rebalances, all that aiokafka has, take every partition from every member and wait for all
members before they give one back: a killed member that is started again stops the whole group until
its dead predecessor's session has run out. Here a partition is given up only when the new
assignment says so. That two workers may have it for a moment is harmless: the position in the read
model is moved by compare-and-set, so one of them wins and the other one reads the position again.
`StickyAssignor` leaves partitions where they are, so most rebalances change nothing for most
members.

Relies on: `SubscriptionState.begin_reassignment` and `assign_from_subscribed`, the coordinator's
`_start_heartbeat_task` (aiokafka 0.14), Faust's `RebalanceListener` and `_rebalance_listener`.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import aiokafka
from aiokafka.consumer.subscription_state import SubscriptionState
from aiokafka.coordinator.assignors.abstract import AbstractPartitionAssignor
from aiokafka.coordinator.protocol import (
    ConsumerProtocolMemberAssignment,
    ConsumerProtocolMemberMetadata,
)
from aiokafka.structs import TopicPartition
from faust.types import TP

Owned = frozenset[TopicPartition]


class KeepingSubscription(SubscriptionState):  # type: ignore[misc]  # aiokafka is untyped here.
    """A subscription whose records are handed out while the group rebalances."""

    def begin_reassignment(self) -> None:
        """Keep what is assigned until the next assignment."""
        if not self.assigned_partitions():
            super().begin_reassignment()

    def assign_from_subscribed(self, assignment: Iterable[TopicPartition]) -> None:
        """Take an assignment; the same one again changes nothing, not even what is fetched."""
        if self.assigned_partitions() and set(assignment) == self.assigned_partitions():
            self._notify_assignment_waiters()
        else:
            super().assign_from_subscribed(set(assignment))


class KeepingListener(aiokafka.abc.ConsumerRebalanceListener):  # type: ignore[misc]
    """Passes on to Faust only assignments that differ from the one before.

    Faust stops all of a worker's partitions for each of them, some tenths of a second.
    """

    def __init__(self, thread: Any) -> None:
        self._thread = thread
        self._known: Owned | None = None

    @property
    def in_group(self) -> bool:
        """Whether the group has given this worker partitions, or none, and is still coordinated."""
        if self._known is None:
            return False
        return self._thread._ensure_consumer()._coordinator.coordinator_id is not None

    def on_partitions_revoked(self, _revoked: Iterable[TopicPartition]) -> None:
        """Do nothing: which partitions go is known with the next assignment."""

    async def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        """Let Faust change over from the partitions it has to the ones assigned now."""
        owned = frozenset(assigned)
        if owned == self._known:
            return
        app, coordinator = self._thread.app, self._thread._ensure_consumer()._coordinator
        # The client beats its heart only after this call, and a batch in flight may take longer
        # than a session while the database is slow.
        coordinator._start_heartbeat_task()
        app.on_rebalance_start()
        await self._thread.on_partitions_revoked(_faust(self._known or ()))
        self._known = owned
        app.consumer_generation_id = coordinator.generation
        await self._thread.on_partitions_assigned(_faust(owned), coordinator.generation)


@dataclass(frozen=True, slots=True)
class Claim:
    """What a member says it owns, and of which round of assignments it has that."""

    owned: Owned = frozenset()
    round: int = 0

    def encoded(self) -> bytes:
        """Return it as the protocol's user data."""
        return json.dumps([self.round, sorted(self.owned)]).encode()

    @classmethod
    def decoded(cls, data: bytes | None) -> "Claim":
        """Return what a member said; nothing where it can't be read."""
        try:
            number, owned = json.loads(data or b"")
            return cls(frozenset(TopicPartition(t, int(p)) for t, p in owned), int(number))
        except (ValueError, TypeError):
            return cls()


class StickyAssignor(AbstractPartitionAssignor):  # type: ignore[misc]  # aiokafka is untyped here.
    """Shares partitions out evenly and moves as few as that takes."""

    name = "steplog-sticky"
    version = 0

    def __init__(self) -> None:
        self._claim = Claim()

    def metadata(self, topics: Iterable[str]) -> ConsumerProtocolMemberMetadata:
        """Return what this member wants and what it owns."""
        return ConsumerProtocolMemberMetadata(self.version, list(topics), self._claim.encoded())

    def on_assignment(self, assignment: ConsumerProtocolMemberAssignment) -> None:
        """Remember what this member owns from now on."""
        number = Claim.decoded(assignment.user_data).round
        self._claim = Claim(frozenset(assignment.partitions()), number)

    def assign(
        self, cluster: Any, members: Mapping[str, ConsumerProtocolMemberMetadata]
    ) -> dict[str, ConsumerProtocolMemberAssignment]:
        """Return each member's partitions; run by the member that leads the group."""
        topics = sorted({topic for member in members.values() for topic in member.subscription})
        partitions = [
            TopicPartition(topic, partition)
            for topic in topics
            for partition in sorted(cluster.partitions_for_topic(topic) or ())
        ]
        claims = {name: Claim.decoded(member.user_data) for name, member in members.items()}
        number = max(claim.round for claim in claims.values()) + 1
        return {
            name: _assignment(owned, number) for name, owned in shares(partitions, claims).items()
        }


def shares(
    partitions: list[TopicPartition], claims: Mapping[str, Claim]
) -> dict[str, list[TopicPartition]]:
    """Return the partitions of each member: as even as can be, and kept where they are."""
    # Of two members that claim a partition, the one that was given it later has it.
    owners = {
        tp: name
        for name, claim in sorted(claims.items(), key=lambda item: item[1].round)
        for tp in claim.owned
    }
    kept: dict[str, list[TopicPartition]] = {name: [] for name in claims}
    for tp in partitions:
        if tp in owners:
            kept[owners[tp]].append(tp)
    least, more = divmod(len(partitions), len(claims))
    by_size = sorted(claims, key=lambda name: (-len(kept[name]), name))
    room = {name: least + (place < more) for place, name in enumerate(by_size)}
    shared = {name: kept[name][: room[name]] for name in claims}
    free = sorted(set(partitions) - {tp for owned in shared.values() for tp in owned})
    for name in by_size:
        missing = room[name] - len(shared[name])
        shared[name] += free[:missing]
        free = free[missing:]
    return shared


def _faust(owned: Iterable[TopicPartition]) -> set[TP]:
    return {TP(tp.topic, tp.partition) for tp in owned}


def _assignment(owned: Iterable[TopicPartition], number: int) -> ConsumerProtocolMemberAssignment:
    by_topic: dict[str, list[int]] = {}
    for tp in sorted(owned):
        by_topic.setdefault(tp.topic, []).append(tp.partition)
    user_data = Claim(round=number).encoded()
    return ConsumerProtocolMemberAssignment(0, sorted(by_topic.items()), user_data)
