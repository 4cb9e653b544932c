"""Calls close together go as one; no call waits for nothing, none is lost."""

import asyncio
from collections.abc import Sequence

import pytest

from tracker_service.store.errors import StoreUnavailable
from tracker_service.store.postgres.write_batcher import WriteBatcher


class Work:
    """Notes the groups it was given; each ends when `finish` is called, or at once if `quick`."""

    def __init__(self, *, quick: bool = False) -> None:
        self.groups: list[list[int]] = []
        self.gate = asyncio.Event()
        self.begun = asyncio.Condition()
        if quick:
            self.gate.set()

    async def __call__(self, items: Sequence[int]) -> Sequence[int | Exception]:
        """Double each item; odd ones fail."""
        self.groups.append(list(items))
        async with self.begun:
            self.begun.notify_all()
        await self.gate.wait()
        return [StoreUnavailable(f"{item} is odd") if item % 2 else 2 * item for item in items]


def gathering(work: Work, *, full: int = 10, most: int = 2) -> WriteBatcher[int, int]:
    """Return a gathering over the work, with small bounds."""
    return WriteBatcher(work, full_weight=full, most_at_once=most)


async def until_groups(work: Work, count: int) -> None:
    """Wait until so many groups have begun."""
    async with work.begun:
        await work.begun.wait_for(lambda: len(work.groups) >= count)


async def test_calls_of_one_moment_are_one_group() -> None:
    work = Work(quick=True)
    calls = gathering(work)

    results = await asyncio.gather(*(calls.call(item, 1) for item in (2, 4, 6)))

    assert results == [4, 8, 12]
    assert work.groups == [[2, 4, 6]]


async def test_calls_made_meanwhile_wait_and_go_together() -> None:
    work = Work()
    calls = gathering(work)
    first = asyncio.create_task(calls.call(2, 1))
    await until_groups(work, 1)
    later = [asyncio.create_task(calls.call(item, 1)) for item in (4, 6)]
    await asyncio.sleep(0)
    before = list(work.groups)

    work.gate.set()

    assert await asyncio.gather(first, *later) == [4, 8, 12]
    assert (before, work.groups) == ([[2]], [[2], [4, 6]])


async def test_a_full_group_does_not_wait_until_the_most_are_under_way() -> None:
    work = Work()
    calls = gathering(work, full=10, most=2)
    waiting = [asyncio.create_task(calls.call(item, 10)) for item in (2, 4, 6)]
    await until_groups(work, 2)
    before = list(work.groups)

    work.gate.set()

    assert await asyncio.gather(*waiting) == [4, 8, 12]
    assert (before, work.groups) == ([[2], [4]], [[2], [4], [6]])


async def test_an_error_of_one_is_no_error_of_the_others() -> None:
    calls = gathering(Work(quick=True))

    results = await asyncio.gather(*(calls.call(n, 1) for n in (2, 3)), return_exceptions=True)

    assert results[0] == 4
    assert isinstance(results[1], StoreUnavailable)


async def test_an_error_of_the_group_reaches_every_call_and_the_next_goes_on() -> None:
    failing = True

    async def work(items: Sequence[int]) -> Sequence[int | Exception]:
        if failing:
            raise StoreUnavailable("away")
        return items

    calls = WriteBatcher[int, int](work, full_weight=10, most_at_once=1)

    results = await asyncio.gather(*(calls.call(n, 1) for n in (2, 3)), return_exceptions=True)
    failing = False

    assert [type(result) for result in results] == [StoreUnavailable, StoreUnavailable]
    assert await calls.call(5, 1) == 5


async def test_one_who_gives_up_does_not_disturb_the_others() -> None:
    work = Work()
    calls = gathering(work)
    gone, stays = (asyncio.create_task(calls.call(item, 1)) for item in (2, 4))
    await until_groups(work, 1)
    gone.cancel()
    with pytest.raises(asyncio.CancelledError):
        await gone

    work.gate.set()

    assert await stays == 8
