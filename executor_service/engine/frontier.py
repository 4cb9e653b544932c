"""Where the branches of an execution stand, and which step may start next.

A branch stands at a step: it runs there (a visit), or it has arrived and the step has not begun.
A step that branches have arrived at begins when no other branch can still reach it, so that all
that lead to it are joined and it runs once. Where two steps in a cycle each wait for a branch that
has arrived at the other, the one declared first begins.

A step with a `join` of its own begins as soon as enough branches have arrived. The rest, those that
could still have come, is cancelled or left: a branch that is left ends where it comes to the step,
and nobody waits for what it could only have reached through it.

The rule costs nothing while a single branch lives. Otherwise a step that may not begin remembers
one branch that keeps it back, its witness, and is looked at again only when that one moves on.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

from executor_service.engine.plan import Plan
from executor_service.engine.scope import Numbers, Scope, drop, join
from steplog_contracts.item_ids import map_of

# From this many steps on, one pass over all branches is cheaper than a search for each step.
_STEPS_WORTH_A_SWEEP = 4


@dataclass(slots=True)
class Arrival:
    """A branch that has come to a step over a path; -1 stands for the flow's start."""

    path_index: int
    scope: Scope
    closes_cycle: bool = False


class Standing(Protocol):
    """Where a branch stands that has begun a step."""

    @property
    def scope(self) -> Scope:
        """The branch's view."""


class Frontier:
    """The steps that branches have arrived at. `visits` and `iterations` are the state's own
    mappings, by step id."""

    def __init__(
        self, plan: Plan, visits: Mapping[str, Standing], iterations: Mapping[str, int]
    ) -> None:
        self._plan = plan
        self._visits = visits
        self._iterations = iterations
        self.numbers = Numbers()
        self.arrived: dict[str, list[Arrival]] = {}
        self._unchecked: dict[str, None] = {}
        self._ready: dict[str, None] = {}
        self._kept_back: dict[str, list[str]] = {}  # By witness.

    def arrive(self, step_id: str, arrival: Arrival) -> None:
        """Take in a branch that leads to the step."""
        arrivals = self.arrived.get(step_id)
        if arrivals is None:
            self.arrived[step_id] = [arrival]
        else:
            arrivals.append(arrival)
            self._ready.pop(step_id, None)
        self._unchecked[step_id] = None

    def clear(self) -> list[tuple[int, Scope]]:
        """Forget every arrival; return them as path and scope."""
        forgotten = [
            (arrival.path_index, arrival.scope)
            for arrivals in self.arrived.values()
            for arrival in arrivals
        ]
        for of_frontier in (self.arrived, self._unchecked, self._ready, self._kept_back):
            of_frontier.clear()
        return forgotten

    def moved_on(self, step_id: str) -> None:
        """Look again at the steps that a branch at `step_id` kept back."""
        if not self._kept_back:
            return
        for kept_back in self._kept_back.pop(step_id, ()):
            if kept_back in self.arrived:
                self._unchecked[kept_back] = None

    def gather(self, step_id: str) -> Arrival:
        """Return the one branch that the arrivals at a step make, joined in declared order."""
        arrivals = self.arrived[step_id]
        if len(arrivals) > 1:
            self._join(arrivals)
        return arrivals[0]

    def _join(self, arrivals: list[Arrival]) -> None:
        """Put one branch in the place of all that arrived at a step."""
        arrivals.sort(key=lambda arrival: arrival.path_index)
        arrivals[:] = [
            Arrival(
                arrivals[0].path_index,
                join([arrival.scope for arrival in arrivals], self.numbers),
                any(arrival.closes_cycle for arrival in arrivals),
            )
        ]

    def take(self, step_id: str) -> Arrival:
        """Return what `gather` does and clear the step: it begins."""
        arrivals = self.arrived.pop(step_id)
        self._ready.pop(step_id, None)
        self._unchecked.pop(step_id, None)
        if self._ready and step_id in self._plan.joins:
            # It may have begun before others that it leads to: those wait for it now.
            self._unchecked.update(self._ready)
            self._ready.clear()
        if len(arrivals) > 1:
            self._join(arrivals)
        return arrivals[0]

    def is_late(self, step_id: str, scope: Scope) -> bool:
        """Say whether a branch is one that the step did not wait for."""
        return step_id in self._closed_to(scope)

    def rest_of(self, step_id: str) -> tuple[list[str], list[str]]:
        """Return where the branches stand that could still come to a step: visits, arrivals."""
        index = self._plan.steps[step_id].index
        visits = [at for at in self._visits if at != step_id and self._reach(at) >> index & 1]
        arrived = [at for at in self.arrived if at != step_id and self._reach(at) >> index & 1]
        return visits, arrived

    def drop(self, step_ids: Iterable[str]) -> None:
        """Drop the branches that have arrived at some steps, with all they wrote."""
        for step_id in step_ids:
            for arrival in self.arrived.pop(step_id):
                drop(arrival.scope)
            self._ready.pop(step_id, None)
            self._unchecked.pop(step_id, None)
            self.moved_on(step_id)

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
            if self._has_enough(step_id):
                witness = step_id if step_id in self._visits else None
            if witness is None:
                self._ready[step_id] = None
            else:
                self._kept_back.setdefault(witness, []).append(step_id)

    def _reached(self) -> tuple[int, int]:
        """Return the steps that one, and that several, of the places taken can lead to."""
        once = twice = 0
        for step_id in self._visits.keys() | self.arrived.keys():
            if step_id not in self._plan.steps:
                continue  # An item: its map stands for it.
            mask = self._reach(step_id)
            twice |= once & mask
            once |= mask
        return once, twice

    def _witness(self, step_id: str, once: int, twice: int) -> str | None:
        plan = self._plan
        index = plan.steps[step_id].index
        if not once >> index & 1:
            return None
        own = self._reach(step_id)
        if own >> index & 1 and not twice >> index & 1 and step_id not in self._visits:
            return None  # Only this very branch could come round again.
        for other_id in self._visits:
            if other_id not in plan.steps:
                continue  # An item: its map stands for it.
            if self._reach(other_id) >> index & 1:
                return other_id
        for other_id in self.arrived:
            other = plan.steps[other_id].index
            # In a cycle each could wait for the other: the one declared first begins.
            goes_first = own >> other & 1 and index < other
            if other != index and self._reach(other_id) >> index & 1 and not goes_first:
                return other_id
        return None

    def _has_enough(self, step_id: str) -> bool:
        join = self._plan.steps[step_id].join
        needed = None if join is None else join.needed
        return needed is not None and len(self.arrived[step_id]) >= needed

    def _reach(self, place: str) -> int:
        """Return the steps that the branches at a place can come to."""
        plan = self._plan
        step = plan.steps.get(place)
        if step is None:
            return self._reach(map_of(place))  # An item: it stands where its map does.
        index = step.index
        if not plan.leaving_joins:
            return plan.graph.reach[index]
        scopes = [arrival.scope for arrival in self.arrived.get(place, ())]
        if place in self._visits:
            scopes.append(self._visits[place].scope)
        mask = 0
        for scope in scopes:
            mask |= plan.reach_without(self._closed_to(scope))[index]
        return mask

    def _closed_to(self, scope: Scope) -> frozenset[str]:
        """Return the steps that began without a branch and did not wait for it."""
        return frozenset(
            step_id
            for step_id in self._plan.leaving_joins
            if self._iterations.get(step_id, 0) > scope.passed.get(step_id, 0)
        )
