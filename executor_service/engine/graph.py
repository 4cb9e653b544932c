"""The shape of a flow: who can reach whom, which steps lie on a cycle, which paths lead back.

Computed once for a definition, and only when asked: a flow that never forks needs no reachability.
Sets of steps are integers used as bit sets, so a definition of 10,000 steps takes about 12 MB.
"""

from collections.abc import Collection, Sequence
from functools import cached_property


class Graph:
    """Steps by their declared index, with an edge for each path between two steps."""

    def __init__(self, successors: Sequence[Sequence[int]], start: int) -> None:
        self._successors = successors
        self._start = start

    def without(self, entered: Collection[int]) -> "Graph":
        """Return the graph without the edges into some steps."""
        kept = [[step for step in steps if step not in entered] for steps in self._successors]
        return Graph(kept, self._start)

    @cached_property
    def components(self) -> list[list[int]]:
        """The strongly connected components, each after those it leads to (Tarjan, iterative)."""
        return _Components(self._successors).found

    @cached_property
    def on_cycle(self) -> int:
        """The steps that can come round to themselves."""
        found = 0
        for component in self.components:
            step = component[0]
            if len(component) > 1 or step in self._successors[step]:
                for member in component:
                    found |= 1 << member
        return found

    @cached_property
    def reach(self) -> list[int]:
        """For each step the steps its paths can lead to; itself only if it lies on a cycle."""
        reached = [0] * len(self._successors)
        for component in self.components:
            beyond = 0
            for step in component:
                for successor in self._successors[step]:
                    beyond |= reached[successor] | 1 << successor
            for step in component:
                reached[step] = beyond
        return reached

    @cached_property
    def reachable(self) -> int:
        """The steps an execution can visit at all."""
        seen = 1 << self._start
        frontier = [self._start]
        while frontier:
            for successor in self._successors[frontier.pop()]:
                if not seen >> successor & 1:
                    seen |= 1 << successor
                    frontier.append(successor)
        return seen

    @cached_property
    def edges_back(self) -> frozenset[tuple[int, int]]:
        """The edges that close a cycle, seen from the start in the declared order of paths."""
        back: set[tuple[int, int]] = set()
        on_stack = {self._start}
        done: set[int] = set()
        stack = [(self._start, iter(self._successors[self._start]))]
        while stack:
            step, successors = stack[-1]
            for successor in successors:
                if successor in on_stack:
                    back.add((step, successor))
                elif successor not in done:
                    on_stack.add(successor)
                    stack.append((successor, iter(self._successors[successor])))
                    break
            else:
                stack.pop()
                on_stack.discard(step)
                done.add(step)
        return frozenset(back)


class _Components:
    """Tarjan's algorithm without recursion, so that a chain of 10,000 steps has no depth limit."""

    def __init__(self, successors: Sequence[Sequence[int]]) -> None:
        self._successors = successors
        self._order: dict[int, int] = {}
        self._low: dict[int, int] = {}
        self._stack: list[int] = []
        self._on_stack: set[int] = set()
        self.found: list[list[int]] = []
        for step in range(len(successors)):
            if step not in self._order:
                self._visit(step)

    def _enter(self, step: int) -> None:
        self._order[step] = self._low[step] = len(self._order)
        self._stack.append(step)
        self._on_stack.add(step)

    def _visit(self, root: int) -> None:
        self._enter(root)
        work = [(root, iter(self._successors[root]))]
        while work:
            step, successors = work[-1]
            for successor in successors:
                if successor not in self._order:
                    self._enter(successor)
                    work.append((successor, iter(self._successors[successor])))
                    break
                if successor in self._on_stack:
                    self._low[step] = min(self._low[step], self._order[successor])
            else:
                work.pop()
                if work:
                    caller = work[-1][0]
                    self._low[caller] = min(self._low[caller], self._low[step])
                self._close(step)

    def _close(self, step: int) -> None:
        if self._low[step] != self._order[step]:
            return
        component = []
        while True:
            member = self._stack.pop()
            self._on_stack.discard(member)
            component.append(member)
            if member == step:
                break
        self.found.append(component)
