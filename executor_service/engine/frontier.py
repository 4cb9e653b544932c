"""Where the branches of an execution stand, and which step may start next.

A branch stands at a step: it runs there (a visit), or it has arrived and the step has not begun.
A step that branches have arrived at begins when no other branch can still reach it, so that all
that lead to it are joined and it runs once. Where two steps in a cycle each wait for a branch that
has arrived at the other, the one declared first begins.

The rule costs nothing while a single branch lives. Otherwise a step that may not begin remembers
one branch that keeps it back, its witness, and is looked at again only when that one moves on.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from executor_service.engine.plan import Plan
from executor_service.engine.scope import Numbers, Scope, join

# From this many steps on, one pass over all branches is cheaper than a search for each step.
_STEPS_WORTH_A_SWEEP = 4


@dataclass(slots=True)
class Arrival:
    """A branch that has come to a step over a path; -1 stands for the flow's start."""

    path_index: int
    scope: Scope
    closes_cycle: bool = False


class Frontier:
    """The steps that branches have arrived at. `visits` is the state's own mapping, by step id."""

    def __init__(self, plan: Plan, visits: Mapping[str, object]) -> None:
        self._plan = plan
        self._visits = visits
        self.numbers = Numbers()
        self.arrived: dict[str, list[Arrival]] = {}
        self._unchecked: dict[str, None] = {}
        self._ready: dict[str, None] = {}
        self._kept_back: dict[str, list[str]] = {}  # By witness.

    def arrive(self, step_id: str, arrival: Arrival) -> None:
        """Take in a branch that leads to the step."""
        self.arrived.setdefault(step_id, []).append(arrival)
        self._ready.pop(step_id, None)
        self._unchecked[step_id] = None

    def moved_on(self, step_id: str) -> None:
        """Look again at the steps that a branch at `step_id` kept back."""
        for kept_back in self._kept_back.pop(step_id, ()):
            if kept_back in self.arrived:
                self._unchecked[kept_back] = None

    def gather(self, step_id: str) -> Arrival:
        """Return the one branch that the arrivals at a step make, joined in declared order."""
        arrivals = self.arrived[step_id]
        if len(arrivals) > 1:
            arrivals.sort(key=lambda arrival: arrival.path_index)
            joined = Arrival(
                arrivals[0].path_index,
                join([arrival.scope for arrival in arrivals], self.numbers),
                any(arrival.closes_cycle for arrival in arrivals),
            )
            arrivals[:] = [joined]
        return arrivals[0]

    def take(self, step_id: str) -> Arrival:
        """Return what `gather` does and clear the step: it begins."""
        arrival = self.gather(step_id)
        del self.arrived[step_id]
        self._ready.pop(step_id, None)
        self._unchecked.pop(step_id, None)
        return arrival

    def ready(self) -> list[str]:
        """Return the steps that may begin, in the order their first branch arrived."""
        if self._unchecked:
            if len(self.arrived) == 1 and not self._visits:
                self._ready.update(self._unchecked)
            else:
                self._check()
            self._unchecked.clear()
        return list(self._ready)

    def _check(self) -> None:
        entered_by_one = self._plan.entered_by_one_path
        self._ready.update(dict.fromkeys(s for s in self._unchecked if s in entered_by_one))
        to_search = [step_id for step_id in self._unchecked if step_id not in entered_by_one]
        once, twice = self._reached() if len(to_search) > _STEPS_WORTH_A_SWEEP else (-1, -1)
        for step_id in to_search:
            witness = self._witness(step_id, once, twice)
            if witness is None:
                self._ready[step_id] = None
            else:
                self._kept_back.setdefault(witness, []).append(step_id)

    def _reached(self) -> tuple[int, int]:
        """Return the steps that one, and that several, of the places taken can lead to."""
        reach, steps = self._plan.graph.reach, self._plan.steps
        once = twice = 0
        for step_id in self._visits.keys() | self.arrived.keys():
            if step_id not in steps:
                continue  # An item: its map stands for it.
            mask = reach[steps[step_id].index]
            twice |= once & mask
            once |= mask
        return once, twice

    def _witness(self, step_id: str, once: int, twice: int) -> str | None:
        plan = self._plan
        index = plan.steps[step_id].index
        reach = plan.graph.reach
        if not once >> index & 1:
            return None
        own = reach[index]
        if own >> index & 1 and not twice >> index & 1 and step_id not in self._visits:
            return None  # Only this very branch could come round again.
        for other_id in self._visits:
            if other_id not in plan.steps:
                continue  # An item: its map stands for it.
            if reach[plan.steps[other_id].index] >> index & 1:
                return other_id
        for other_id in self.arrived:
            other = plan.steps[other_id].index
            # In a cycle each could wait for the other: the one declared first begins.
            goes_first = own >> other & 1 and index < other
            if other != index and reach[other] >> index & 1 and not goes_first:
                return other_id
        return None
