"""Calls that come close together, made as one.

A round trip and a commit cost much more than one more row. So what is asked for while another call
is under way waits for its end and then goes together; alone, a call goes at once. Groups that are
full do not wait, so that the database writes while the next rows are being folded.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

ItemT = TypeVar("ItemT")
ResultT = TypeVar("ResultT")


@dataclass(slots=True)
class _Waiting(Generic[ItemT, ResultT]):
    item: ItemT
    weight: int
    future: "asyncio.Future[ResultT]"

    def settle(self, result: ResultT | BaseException) -> None:
        if self.future.done():
            return  # Whoever asked has gone.
        if isinstance(result, BaseException):
            self.future.set_exception(result)
        else:
            self.future.set_result(result)


class WriteBatcher(Generic[ItemT, ResultT]):
    """Hands items to `work` in groups; `work` returns one result or error per item, in order.

    A group is closed at `full_weight`; at most `most_at_once` groups are under way.
    """

    def __init__(
        self,
        work: Callable[[Sequence[ItemT]], Awaitable[Sequence[ResultT | Exception]]],
        *,
        full_weight: int,
        most_at_once: int,
    ) -> None:
        self._work = work
        self._full_weight = full_weight
        self._most_at_once = most_at_once
        self._waiting: list[_Waiting[ItemT, ResultT]] = []
        # Kept here because the event loop itself holds tasks only weakly.
        self._under_way: set[asyncio.Task[None]] = set()

    async def call(self, item: ItemT, weight: int) -> ResultT:
        """Return the item's result; raises its error, or what `work` raised for its group."""
        future: asyncio.Future[ResultT] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Waiting(item, weight, future))
        self._begin()
        return await future

    def _begin(self) -> None:
        full = sum(waiting.weight for waiting in self._waiting) >= self._full_weight
        if not self._under_way or (full and len(self._under_way) < self._most_at_once):
            # A task starts in the loop's next round: what is asked for in this one goes along.
            task = asyncio.create_task(self._run())
            self._under_way.add(task)
            task.add_done_callback(self._ended)

    def _ended(self, task: "asyncio.Task[None]") -> None:
        self._under_way.discard(task)
        if self._waiting:
            self._begin()

    async def _run(self) -> None:
        group = self._next_group()
        if not group:
            return
        self._begin()
        try:
            results = await self._work([waiting.item for waiting in group])
        except BaseException as error:
            for waiting in group:
                waiting.settle(error)
            if not isinstance(error, Exception):
                raise
        else:
            for waiting, result in zip(group, results, strict=True):
                waiting.settle(result)

    def _next_group(self) -> list[_Waiting[ItemT, ResultT]]:
        count = weight = 0
        for waiting in self._waiting:
            if count and weight + waiting.weight > self._full_weight:
                break
            count, weight = count + 1, weight + waiting.weight
        group, self._waiting = self._waiting[:count], self._waiting[count:]
        return group
