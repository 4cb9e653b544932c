"""What running a flow means, said again as plainly as possible and sharing no code with the engine.

One branch moves at a time; everything is searched anew at each move; nothing is clever. A branch
holds, for each key, the write that stands, and every visit that lies in its past; a write holds the
visits that lay in the past of whoever wrote it.
"""

from collections.abc import Callable
from dataclasses import dataclass
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
    catches: bool = False  # Taken after an error, which it lays at `problem`, and never else.


@dataclass(frozen=True)
class Write:
    """A value, the visit that wrote it (0: the input), and the visits it could see."""

    value: Any
    visit: int
    past: frozenset[int]


@dataclass
class Branch:
    """`path` is the one it came over."""

    at: str
    writes: dict[str, Write]
    past: frozenset[int]
    path: int

    def data(self) -> Data:
        return {key: write.value for key, write in self.writes.items()}


@dataclass
class Told:
    """What the oracle says: how it ends, with what, and which steps ran how often."""

    status: str
    output: Data | None
    runs: list[tuple[str, Data, Any]]


class Oracle:
    def __init__(self, steps: dict[str, OracleStep], paths: list[OraclePath], bound: int) -> None:
        self.steps, self.paths, self.bound = steps, paths, bound

    def tell(self, start: str, given: Data) -> Told:
        inputs = {key: Write(value, 0, frozenset()) for key, value in given.items()}
        branches = [Branch(start, inputs, frozenset({0}), -1)]
        ended: list[Branch] = []
        runs: list[tuple[str, Data, Any]] = []
        while branches:
            step_id = self._next_step({branch.at for branch in branches})
            arrived = [branch for branch in branches if branch.at == step_id]
            branch = self._joined(arrived)
            branches = [other for other in branches if other.at != step_id]
            if sum(1 for name, _, _ in runs if name == step_id) >= self.bound:
                return Told("failed", None, runs)
            data = branch.data()
            result = self._result(step_id, data)
            runs.append((step_id, data, result))
            catch = next((p for p in self.paths if p.source == step_id and p.catches), None)
            if result is None and catch is None:
                return Told("failed", None, runs)
            self._write(branch, len(runs), {"problem": step_id} if result is None else result)
            branches += self._onward(branch, ended, failed=result is None)
        final = self._joined(ended)
        return Told("completed", final.data(), runs)

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
        """Of the writes of a key, those that another one saw are gone; then the last declared."""
        ordered = sorted(branches, key=lambda branch: branch.path)
        writes: dict[str, Write] = {}
        for key in {key: None for branch in ordered for key in branch.writes}:
            candidates = [branch.writes[key] for branch in ordered if key in branch.writes]
            writes[key] = [
                one for one in candidates if not any(one.visit in two.past for two in candidates)
            ][-1]
        past = frozenset().union(*(branch.past for branch in ordered))
        return Branch(ordered[0].at, writes, past, ordered[0].path)

    def _result(self, step_id: str, data: Data) -> Any:
        step = self.steps[step_id]
        return None if step.fails else step.run(data)

    def _write(self, branch: Branch, visit: int, result: Any) -> None:
        for key, value in result.items():
            if key not in branch.writes or branch.writes[key].value != value:
                branch.writes[key] = Write(value, visit, branch.past)
        branch.past |= {visit}

    def _onward(self, branch: Branch, ended: list[Branch], *, failed: bool) -> list[Branch]:
        data = branch.data()
        taken = [
            (index, path.target)
            for index, path in enumerate(self.paths)
            if path.source == branch.at and path.catches is failed and path.holds(data)
        ]
        steps = [(index, target) for index, target in taken if target in self.steps]
        if not steps:
            last = taken[0][0] if taken else branch.path
            ended.append(Branch("", branch.writes, branch.past, last))
            return []
        return [Branch(target, dict(branch.writes), branch.past, index) for index, target in steps]
