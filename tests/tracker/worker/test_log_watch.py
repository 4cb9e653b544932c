"""A live worker stops applying what a log lost, says so, and starts again once it is mended."""

from collections.abc import Mapping, Sequence

import pytest

from tracker_service.log.events_log import LogUnreachable
from tracker_service.worker.log_watch import LOOK_INTERVAL_S, LogWatch


class FakeCheck:
    """Finds what the test says is lost; stands in for `LossCheck`."""

    def __init__(self) -> None:
        self.lost: dict[int, str] = {}
        self.away = False
        self.looks = 0

    async def run(self, partitions: Sequence[int]) -> dict[int, str]:
        """Count the look and find."""
        self.looks += 1
        if self.away:
            raise LogUnreachable("no broker")
        return {p: reason for p, reason in self.lost.items() if p in partitions}

    def short(self, known: Mapping[int, int], ends: Mapping[int, int]) -> bool:
        """Compare as the real one does."""
        return any(ends.get(p, position) < position for p, position in known.items())


@pytest.fixture
def check() -> FakeCheck:
    """Return a check that finds nothing."""
    return FakeCheck()


@pytest.fixture
def ended() -> list[str]:
    """Return the sentences with which the worker ended."""
    return []


@pytest.fixture
def watch(check: FakeCheck, ended: list[str]) -> LogWatch:
    """Return a watch."""
    return LogWatch(check, ended.append)  # type: ignore[arg-type]


async def test_a_short_log_is_looked_at_at_once(watch: LogWatch, check: FakeCheck) -> None:
    await watch.beat({0: 9}, {0: 9}, now_s=0.0)
    check.lost = {0: "it lost records"}

    await watch.beat({0: 9}, {0: 5}, now_s=1.0)

    assert watch.lost == {0: "it lost records"}


async def test_a_log_that_seems_whole_is_looked_at_now_and_then(
    watch: LogWatch, check: FakeCheck
) -> None:
    for second in range(int(LOOK_INTERVAL_S)):
        await watch.beat({0: 9}, {0: 9}, now_s=float(second))

    assert check.looks == 1
    await watch.beat({0: 9}, {0: 9}, now_s=LOOK_INTERVAL_S)
    assert check.looks == 2


async def test_once_it_is_mended_the_worker_starts_again(
    watch: LogWatch, check: FakeCheck, ended: list[str]
) -> None:
    check.lost = {0: "it lost records"}
    await watch.look([0, 1])
    check.lost = {}

    await watch.beat({0: 9, 1: 3}, {0: 5, 1: 3}, now_s=1.0)

    assert len(ended) == 1
    assert watch.lost == {}


async def test_a_partition_of_another_worker_is_none_of_ours(
    watch: LogWatch, check: FakeCheck, ended: list[str]
) -> None:
    check.lost = {0: "it lost records"}
    await watch.look([0, 1])

    await watch.look([1])

    assert watch.lost == {}
    assert ended == []


async def test_while_the_broker_is_away_what_is_known_stands(
    watch: LogWatch, check: FakeCheck
) -> None:
    check.lost = {0: "it lost records"}
    await watch.look([0])
    check.away = True

    await watch.look([0])

    assert watch.lost == {0: "it lost records"}
