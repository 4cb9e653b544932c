"""When something happens to an execution by itself: a due start, another try, an expired wait."""

import heapq
from datetime import datetime, timedelta

from executor_service.engine.state import State
from executor_service.engine.visit import Visit


class Timers:
    """Due times of visits, earliest first; one that no longer holds is dropped when it comes up."""

    def __init__(self) -> None:
        self.heap: list[tuple[datetime, str]] = []

    def set(self, visit: Visit) -> None:
        """Take note of what a visit waits for, if it has a time."""
        due_at = due_time(visit)
        if due_at is not None:
            heapq.heappush(self.heap, (due_at, visit.step.id))

    def next_due(self, state: State) -> datetime | None:
        """Return the earliest due time that still holds."""
        while self.heap:
            due_at, step_id = self.heap[0]
            visit = state.visits.get(step_id)
            if visit is not None and due_time(visit) == due_at:
                return due_at
            heapq.heappop(self.heap)
        return None

    def take_due(self, state: State, now: datetime) -> list[str]:
        """Return the steps whose time has come, each once, and forget those times."""
        steps: dict[str, None] = {}  # An execution that paused has set some of its times twice.
        while (due_at := self.next_due(state)) is not None and due_at <= now:
            steps[heapq.heappop(self.heap)[1]] = None
        return list(steps)


def due_time(visit: Visit) -> datetime | None:
    """Return when the visit goes on by itself, if ever."""
    if visit.status in ("scheduled", "retrying"):
        return visit.due_at
    return visit.expires_at if visit.status in ("waiting", "child") else None


def only_waits(state: State) -> bool:
    """Return whether nothing runs: every open visit waits for a person or for a time."""
    visits = state.visits.values()
    if state.undoing is not None:
        return not visits and state.undoing.status in ("stuck", "retrying")
    return bool(visits) and all(visit.status in _WAITS for visit in visits)


def waits_longer(state: State, due: datetime | None, now: datetime, than: timedelta) -> bool:
    """Return whether a state that only waits will do so for people, or until long after `now`."""
    if state.undoing is not None and state.undoing.status == "stuck":
        return True
    if state.visits and all(visit.status in _FOR_OTHERS for visit in state.visits.values()):
        return True
    return due is not None and due - now > than


# For a person, for another execution, and of a map for its items, which are visits themselves.
_FOR_OTHERS = frozenset({"waiting", "child", "mapping"})
_WAITS = _FOR_OTHERS | {"scheduled", "retrying"}
