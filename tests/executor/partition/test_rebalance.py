"""What a group member does while the group decides who owns what."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import pytest
import structlog

from executor_service.partition.consumer import CommandConsumer
from executor_service.ports.command_source import ReceivedRecord
from executor_service.ports.resume_point import ResumePoint
from tests.executor.flows import until
from tests.executor.support.fakes import FakeEventLog, SharedLog, settle
from tests.executor.support.partition_harness import PARTITION, Owning

A_MOMENT_S = 0.02
READY_FILE = "ready"


class FakeSource:
    """A group that decides when the test says so; satisfies `CommandSource`."""

    def __init__(self) -> None:
        self.commits = 0

    async def poll(
        self, room: Mapping[int, int], timeout_ms: int
    ) -> Mapping[int, Sequence[ReceivedRecord]]:
        """Nothing ever comes."""
        await asyncio.sleep(0)
        return {}

    def pause(self, partitions: Iterable[int]) -> None:
        """Nothing is fetched anyway."""

    def resume(self, partitions: Iterable[int]) -> None:
        """Nothing is fetched anyway."""

    def seek(self, partition: int, offset: int) -> None:
        """Nothing is fetched anyway."""

    async def resume_point(self, partition: int) -> ResumePoint:
        """Nothing was committed."""
        return ResumePoint(0, 0, None)

    async def commit(self, points: Mapping[int, ResumePoint]) -> bool:
        """Count it."""
        self.commits += 1
        return True

    async def set_aside(self, record: ReceivedRecord, reason: str) -> None:
        """Nothing unreadable comes."""


@pytest.fixture
def source() -> FakeSource:
    """Return a group of one."""
    return FakeSource()


@pytest.fixture
def consumer(source: FakeSource, tmp_path: Path) -> CommandConsumer:
    """Return a member that commits as often as it can."""
    return CommandConsumer(
        source,
        FakeEventLog(SharedLog()),
        FakeEventLog(SharedLog()),
        FakeEventLog(SharedLog()),
        Owning().context,
        commit_interval_s=1e-6,
        ready_file=tmp_path / READY_FILE,
    )


async def test_a_partition_that_goes_and_comes_at_once_is_taken_over_once(
    source: FakeSource,
) -> None:
    """What was begun for it before ends only after it has come again."""
    events = SharedLog()
    consumer = CommandConsumer(
        source,
        FakeEventLog(events),
        FakeEventLog(SharedLog()),
        FakeEventLog(SharedLog()),
        Owning().context,
        commit_interval_s=1e-6,
    )

    for partitions in ([PARTITION], [], [PARTITION]):
        await consumer.assigned(partitions)
    await settle()
    await consumer.assigned([PARTITION])
    await settle()

    assert len(events.partitions[PARTITION]) == 1
    await consumer.stop(grace_s=0.0)


async def test_nothing_is_committed_between_revoke_and_assignment(
    consumer: CommandConsumer, source: FakeSource
) -> None:
    """The client takes a refused commit for the loss of the membership it is just renewing."""
    await consumer.assigned([PARTITION])
    await settle()
    stopping = asyncio.Event()
    running = asyncio.create_task(consumer.run(stopping))
    await consumer.revoked([PARTITION])
    before = source.commits
    await asyncio.sleep(A_MOMENT_S)
    during = source.commits
    stopping.set()
    await running

    assert before > 0
    assert during == before


async def test_a_partition_given_before_a_new_decision_is_claimed_after_it(
    consumer: CommandConsumer, source: FakeSource
) -> None:
    await consumer.assigned([PARTITION])
    await consumer.revoked([PARTITION])
    await settle()
    undecided = source.commits
    await consumer.assigned([PARTITION])
    await settle()

    assert undecided == 0
    assert source.commits == 1


@pytest.mark.parametrize(
    ("given", "ready"),
    [(None, False), ([], True), ([PARTITION], True)],
    ids=["no member yet", "nothing to own", "an owner"],
)
async def test_a_member_is_ready_also_when_the_group_gives_it_nothing(
    consumer: CommandConsumer, tmp_path: Path, given: list[int] | None, ready: bool
) -> None:
    """More executors than partitions: the rest stand by, and a rollout waits for all of them."""
    stopping = asyncio.Event()
    if given is not None:
        await consumer.assigned(given)
        await settle()
    running = asyncio.create_task(consumer.run(stopping))
    await asyncio.sleep(A_MOMENT_S)
    stopping.set()
    await running

    assert (tmp_path / READY_FILE).exists() == ready


class FaultySource(FakeSource):
    """A group whose commits can't be read for a while, for a reason that nobody foresaw."""

    def __init__(self) -> None:
        super().__init__()
        self.faulty = True
        self.asked = 0

    async def resume_point(self, partition: int) -> ResumePoint:
        """Fail while it is faulty."""
        self.asked += 1
        if self.faulty:
            raise AssertionError("nobody foresaw this")
        return await super().resume_point(partition)


async def test_a_takeover_that_fails_is_tried_again_and_costs_readiness_until_it_succeeds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("executor_service.partition.consumer.RETRY_DELAY_S", 1e-3)
    source, owning = FaultySource(), Owning()
    logs = [FakeEventLog(log) for log in (owning.events, owning.parked, owning.seen)]
    ready = tmp_path / READY_FILE
    consumer = CommandConsumer(
        source, *logs, owning.context, commit_interval_s=1e-6, ready_file=ready
    )
    await consumer.assigned([PARTITION])
    running = asyncio.create_task(consumer.run(stopping := asyncio.Event()))

    with structlog.testing.capture_logs() as lines:
        await until(lambda: source.asked > 2)
    was_ready = ready.exists()
    source.faulty = False
    await until(ready.exists)
    stopping.set()
    await running
    await consumer.stop(0.0)

    assert not was_ready
    assert {line["event"] for line in lines} == {"takeover_failed"}
    assert {line["partition"] for line in lines} == {PARTITION}
