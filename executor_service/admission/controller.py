"""Who may begin: a bound on executions in flight, limits on some of them, and the order of waiting.

One for the process. What waits stands in one queue, the highest priority first and then in the
order of arrival, and begins as soon as a slot and every limit it counts towards allow. What a limit
keeps back leaves the queue, so it is in nobody's way, and returns when the limit has room.
"""

import asyncio
import heapq
import itertools
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from executor_service.admission.slots import ExecutionSlots

# Of each partition: how far it looks ahead.
MAX_WAITING_COMMANDS = 500
# What has begun once and wants to go on comes before everything that has not.
BEGUN_BEFORE = 2**31
# Entries that left early stay in the heaps up to this count, or half of what is there.
MAX_LEFT_EARLY = 1_000


@dataclass(frozen=True, slots=True)
class Limit:
    """At most so many executions at once under a name."""

    name: str
    at_most: int


@dataclass(slots=True, eq=False)
class Waiting:
    """Something that wants to begin. `begin` is called once, and takes a slot if it needs one."""

    execution_id: str
    begin: Callable[[], object]
    priority: int = 0
    limits: tuple[Limit, ...] = ()
    left: bool = False
    asked_at_s: float = field(default_factory=time.monotonic)
    kept_back_by: str | None = None


_Queue = list[tuple[int, int, Waiting]]


class AdmissionController:
    """Begins what waits, one after the other, while slots and limits allow."""

    def __init__(self, slots: ExecutionSlots) -> None:
        self._slots = slots
        self._arrivals = itertools.count()
        self._ready: _Queue = []
        self._kept_back: dict[str, _Queue] = {}  # By the name of the limit that is reached.
        self._holders: dict[str, set[str]] = {}  # Name of a limit -> executions that count.
        self._left_early = 0
        self._closed = False
        self._moved = asyncio.Event()
        slots.when_freed = self.admit

    def ask(self, waiting: Waiting) -> None:
        """Let it begin now or later."""
        heapq.heappush(self._ready, (-waiting.priority, next(self._arrivals), waiting))
        self.admit()

    def leave(self, waiting: Waiting) -> None:
        """Let it never begin."""
        waiting.left = True
        self._left_early += 1
        queues = [self._ready, *self._kept_back.values()]
        if self._left_early > max(MAX_LEFT_EARLY, sum(map(len, queues)) // 2):
            self._left_early = 0
            for queue in queues:
                queue[:] = [entry for entry in queue if not entry[2].left]
                heapq.heapify(queue)
        self._return_one(waiting.kept_back_by)
        self.admit()

    def waiting(self) -> dict[str, int]:
        """Return how many wait, by what for: a slot or a limit. May be asked from any thread."""
        return {"slot": len(self._ready), "limit": sum(map(len, list(self._kept_back.values())))}

    def oldest_wait_s(self) -> float:
        """Return how long the one that waits longest has, 0 where nothing waits."""
        queues = [self._ready, *list(self._kept_back.values())]
        asked_s = [one.asked_at_s for queue in queues for _, _, one in list(queue) if not one.left]
        return time.monotonic() - min(asked_s) if asked_s else 0.0

    def close(self) -> None:
        """Begin nothing more: the process is stopping."""
        self._closed = True

    def count(self, limit: Limit, execution_id: str) -> None:
        """Count an execution that is in flight already, whatever the limit says."""
        self._holders.setdefault(limit.name, set()).add(execution_id)

    def release(self, name: str, execution_id: str) -> None:
        """Count an execution no more."""
        holders = self._holders.get(name, set())
        if execution_id not in holders:
            return
        holders.discard(execution_id)
        if not holders:
            del self._holders[name]
        self._return_one(name)
        self.admit()

    def admit(self) -> None:
        """Begin whatever may begin now."""
        while self._ready and self._slots.free > 0 and not self._closed:
            entry = heapq.heappop(self._ready)
            waiting = entry[2]
            if waiting.left:
                self._return_one(waiting.kept_back_by)
                continue
            reached = self._reached(waiting)
            if reached is None:
                for limit in waiting.limits:
                    self.count(limit, waiting.execution_id)
                self._moved.set()
                waiting.begin()
            else:
                self._keep_back(entry, reached)

    async def wait_for_move(self, timeout_s: float) -> None:
        """Return when something began or the time is over, whichever is first."""
        self._moved.clear()
        try:
            await asyncio.wait_for(self._moved.wait(), timeout_s)
        except TimeoutError:
            return

    def _reached(self, waiting: Waiting) -> str | None:
        for limit in waiting.limits:
            holders = self._holders.get(limit.name, ())
            if len(holders) >= limit.at_most and waiting.execution_id not in holders:
                return limit.name
        return None

    def _keep_back(self, entry: tuple[int, int, Waiting], reached: str) -> None:
        before, entry[2].kept_back_by = entry[2].kept_back_by, reached
        heapq.heappush(self._kept_back.setdefault(reached, []), entry)
        if before != reached:
            self._return_one(before)  # The room it was returned for is still there.

    def _return_one(self, name: str | None) -> None:
        """Put back into the queue who is first behind a limit, as it has room for one more."""
        if name is None:
            return
        queue = self._kept_back.get(name, [])
        while queue:
            entry = heapq.heappop(queue)
            if not entry[2].left:
                heapq.heappush(self._ready, entry)
                break
        if not queue:
            self._kept_back.pop(name, None)
