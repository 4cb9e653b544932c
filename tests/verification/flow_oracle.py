"""What running a flow means, said again as plainly as possible and sharing no code with the engine.

One branch moves at a time; everything is searched anew at each move; nothing is clever. A branch is
the list of forks it came through, each with what was written on that stretch.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

Data = dict[str, Any]


@dataclass
class OracleStep:
    """`run` returns a step's result; `fails` and `asks` say that it raises, or asks a person."""

    run: Callable[[Data], Any]
    fails: bool = False
    asks: bool = False


@dataclass
class OraclePath:
    source: str
    target: str
    holds: Callable[[Data], bool]


@dataclass
class Stretch:
    """One stretch of a branch's way: which fork it began at, and what was written on it."""

    mark: int
    written: Data = field(default_factory=dict)
    results: dict[str, Any] = field(default_factory=dict)


@dataclass
class Branch:
    at: str
    stretches: list[Stretch]
    path: int

    def data(self, given: Data) -> Data:
        data = dict(given)
        for stretch in self.stretches:
            data.update(stretch.written)
        return data


@dataclass
class Told:
    """What the oracle says: how it ends, with what, and which steps ran how often."""

    status: str
    output: Data | None
    runs: list[tuple[str, Data, Any]]


class Oracle:
    def __init__(self, steps: dict[str, OracleStep], paths: list[OraclePath], bound: int) -> None:
        self.steps, self.paths, self.bound = steps, paths, bound
        self.marks = 0

    def tell(self, start: str, given: Data) -> Told:
        branches = [Branch(start, [self._stretch()], -1)]
        ended: list[Branch] = []
        runs: list[tuple[str, Data, Any]] = []
        while branches:
            step_id = self._next_step({branch.at for branch in branches})
            arrived = [branch for branch in branches if branch.at == step_id]
            branch = self._joined(arrived)
            branches = [other for other in branches if other.at != step_id]
            if sum(1 for name, _, _ in runs if name == step_id) >= self.bound:
                return Told("failed", None, runs)
            data = branch.data(given)
            result = self._result(step_id, data)
            runs.append((step_id, data, result))
            if result is None:
                return Told("failed", None, runs)
            self._write(branch, step_id, result, data)
            branches += self._onward(branch, branch.data(given), ended)
        final = self._joined(ended)
        return Told("completed", final.data(given), runs)

    def _stretch(self) -> Stretch:
        self.marks += 1
        return Stretch(self.marks)

    def _next_step(self, places: set[str]) -> str:
        """Return a place that no other place leads to; in a cycle, the one declared first."""
        declared = list(self.steps)
        for place in declared:
            if place in places and all(
                not self._leads(other, place)
                or (self._leads(place, other) and declared.index(place) < declared.index(other))
                for other in places
                if other != place
            ):
                return place
        raise AssertionError("some place is always first")

    def _leads(self, source: str, target: str) -> bool:
        seen: set[str] = set()
        look = [source]
        while look:
            here = look.pop()
            for path in self.paths:
                if path.source == here and path.target not in seen:
                    seen.add(path.target)
                    look.append(path.target)
        return target in seen

    def _joined(self, branches: list[Branch]) -> Branch:
        if len(branches) == 1:
            return branches[0]
        ordered = sorted(branches, key=lambda branch: branch.path)
        common = 0
        while all(
            len(branch.stretches) > common
            and branch.stretches[common].mark == ordered[0].stretches[common].mark
            for branch in ordered
        ):
            common += 1
        joined = self._stretch()
        for branch in ordered:
            for stretch in branch.stretches[common:]:
                joined.written.update(stretch.written)
                joined.results.update(stretch.results)
        kept = ordered[0].stretches[:common]
        return Branch(ordered[0].at, [*kept, joined], ordered[0].path)

    def _result(self, step_id: str, data: Data) -> Any:
        step = self.steps[step_id]
        return None if step.fails else step.run(data)

    def _write(self, branch: Branch, step_id: str, result: Any, before: Data) -> None:
        last = branch.stretches[-1]
        last.results[step_id] = result
        for key, value in result.items():
            if key not in before or before[key] != value:
                last.written[key] = value

    def _onward(self, branch: Branch, data: Data, ended: list[Branch]) -> list[Branch]:
        taken = [
            (index, path.target)
            for index, path in enumerate(self.paths)
            if path.source == branch.at and path.holds(data)
        ]
        steps = [(index, target) for index, target in taken if target in self.steps]
        if not steps:
            last = taken[0][0] if taken else branch.path
            ended.append(Branch("", branch.stretches, last))
            return []
        if len(steps) == 1:
            return [Branch(steps[0][1], branch.stretches, steps[0][0])]
        return [
            Branch(target, [*branch.stretches, self._stretch()], index) for index, target in steps
        ]
