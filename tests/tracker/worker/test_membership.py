"""Who has which partition, and that as few as possible move."""

from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer
from aiokafka.consumer.group_coordinator import GroupCoordinator
from aiokafka.consumer.subscription_state import SubscriptionState
from aiokafka.structs import TopicPartition
from faust.transport.drivers import aiokafka as driver
from hypothesis import given
from hypothesis import strategies as st

from tracker_service.worker.membership import (
    Claim,
    KeepingListener,
    KeepingSubscription,
    StickyAssignor,
    shares,
)

MEMBERS = st.sets(st.sampled_from("abcdefgh"), min_size=1)


def partitions(count: int) -> list[TopicPartition]:
    return [TopicPartition("t", number) for number in range(count)]


def claims_of(shared: dict[str, list[TopicPartition]], number: int) -> dict[str, Claim]:
    return {name: Claim(frozenset(owned), number) for name, owned in shared.items()}


@given(count=st.integers(1, 40), before=MEMBERS, after=MEMBERS)
def test_shares_are_complete_even_and_kept(count: int, before: set[str], after: set[str]) -> None:
    first = shares(partitions(count), {name: Claim() for name in before})
    claims = claims_of(first, 1)

    second = shares(partitions(count), {name: claims.get(name, Claim()) for name in after})

    sizes = [len(owned) for owned in second.values()]
    assert sorted(tp for owned in second.values() for tp in owned) == partitions(count)
    assert max(sizes) - min(sizes) <= 1
    for name in before & after:
        kept = set(first[name]) & set(second[name])
        assert len(kept) == min(len(first[name]), len(second[name]))


def test_the_same_members_again_change_nothing() -> None:
    first = shares(partitions(7), {name: Claim() for name in "abc"})

    assert shares(partitions(7), claims_of(first, 4)) == first


def test_of_two_who_claim_a_partition_the_later_one_has_it() -> None:
    both = frozenset(partitions(1))

    shared = shares(partitions(1), {"zombie": Claim(both, 3), "owner": Claim(both, 4)})

    assert shared == {"zombie": [], "owner": partitions(1)}


@pytest.mark.parametrize("data", [None, b"", b"{}", b"[1]", b"[1, 2]", b"\xff", b'["x", []]'])
def test_a_claim_that_can_not_be_read_is_none(data: bytes | None) -> None:
    assert Claim.decoded(data) == Claim()


def test_a_member_claims_what_it_was_assigned() -> None:
    leader, cluster = StickyAssignor(), SimpleNamespace(partitions_for_topic=lambda _: {0, 1, 2})

    given_out = leader.assign(cluster, {"a": leader.metadata(["t"])})
    leader.on_assignment(given_out["a"])

    claim = Claim.decoded(leader.metadata(["t"]).user_data)
    assert claim == Claim(frozenset(partitions(3)), 1)


class Thread:
    """Faust's side of a rebalance: what it was told, in order."""

    def __init__(self) -> None:
        self.told: list[Any] = []
        coordinator = SimpleNamespace(
            coordinator_id=0,
            generation=5,
            _start_heartbeat_task=lambda: self.told.append("heartbeat"),
        )
        self.consumer = SimpleNamespace(_coordinator=coordinator)
        self.app = SimpleNamespace(
            consumer_generation_id=0, on_rebalance_start=lambda: self.told.append("start")
        )

    def _ensure_consumer(self) -> Any:
        return self.consumer

    async def on_partitions_revoked(self, revoked: set[Any]) -> None:
        self.told.append(("revoked", sorted(tp.partition for tp in revoked)))

    async def on_partitions_assigned(self, assigned: set[Any], generation: int) -> None:
        self.told.append(("assigned", sorted(tp.partition for tp in assigned), generation))


async def test_faust_hears_of_a_change_and_of_nothing_else() -> None:
    thread = Thread()
    listener = KeepingListener(thread)
    for owned in (2, 2, 1):
        listener.on_partitions_revoked(partitions(2))
        await listener.on_partitions_assigned(partitions(owned))

    change = ["heartbeat", "start"]
    assert thread.told == [
        *change,
        ("revoked", []),
        ("assigned", [0, 1], 5),
        *change,
        ("revoked", [0, 1]),
        ("assigned", [0], 5),
    ]


async def test_a_member_without_partitions_is_in_the_group_while_somebody_coordinates_it() -> None:
    thread = Thread()
    listener = KeepingListener(thread)
    assert not listener.in_group

    await listener.on_partitions_assigned([])
    joined = listener.in_group
    thread.consumer._coordinator.coordinator_id = None

    assert joined
    assert not listener.in_group


async def test_a_subscription_goes_on_through_a_rebalance_that_changes_nothing() -> None:
    subscription = KeepingSubscription()
    subscription.subscribe({"t"})
    subscription.begin_reassignment()
    assert subscription.reassignment_in_progress
    subscription.assign_from_subscribed(partitions(2))
    before = subscription.subscription.assignment

    subscription.begin_reassignment()
    subscription.assign_from_subscribed(partitions(2))

    assert not subscription.reassignment_in_progress
    assert subscription.subscription.assignment is before
    assert before.active


async def test_a_subscription_takes_another_assignment() -> None:
    subscription = KeepingSubscription()
    subscription.subscribe({"t"})
    subscription.assign_from_subscribed(partitions(2))
    before = subscription.subscription.assignment

    subscription.assign_from_subscribed(partitions(1))

    assert subscription.assigned_partitions() == set(partitions(1))
    assert not before.active


def test_the_client_still_has_what_membership_replaces() -> None:
    assert callable(SubscriptionState.begin_reassignment)
    assert callable(SubscriptionState.assign_from_subscribed)
    assert callable(GroupCoordinator._start_heartbeat_task)
    assert callable(driver.AIOKafkaConsumerThread._create_worker_consumer)
    assert driver.Consumer.RebalanceListener is driver.ConsumerRebalanceListener


async def test_a_consumer_keeps_its_subscription_and_assignors_where_they_are_replaced() -> None:
    consumer = AIOKafkaConsumer(bootstrap_servers="127.0.0.1:1")

    assert isinstance(consumer._subscription, SubscriptionState)
    assert consumer._partition_assignment_strategy
    await consumer.stop()
