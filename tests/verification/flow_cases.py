"""Random flows: the same one as a pipeline of real steps and as the oracle's plain functions."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from hypothesis import strategies as st

from executor_service.definitions.blueprint import Blueprint
from tests.executor.flows import FunctionStep, asks, blueprint_of
from tests.verification.flow_oracle import Data, Oracle, OraclePath, OracleStep

KEYS = ("p", "q", "r")
BOUND = 3


@dataclass(frozen=True)
class StepCase:
    """What a random step does: which key it writes, how it waits, whether it passes all on."""

    key: str
    add: int
    passes_on: bool
    turns: int
    kind: str  # ok, fails, flaky, asks or switch: that decides by its paths, one of them
    catch: int | None = None  # Where it goes if it fails.

    def result(self, data: Data) -> Data:
        written = {self.key: (sum(data[key] for key in KEYS) + self.add) % 5}
        return {**data, **written} if self.passes_on else written


@dataclass(frozen=True)
class PathCase:
    source: int
    target: int  # Beyond the last step: an end marker.
    key: str | None
    below: int

    def holds(self, data: Data) -> bool:
        return self.key is None or data[self.key] < self.below


@dataclass(frozen=True)
class FlowCase:
    steps: tuple[StepCase, ...]
    paths: tuple[PathCase, ...]

    def given(self) -> Data:
        return dict.fromkeys(KEYS, 1)

    def target(self, path: PathCase) -> str:
        return f"s{path.target}" if path.target < len(self.steps) else "end_here"

    def oracle(self) -> Oracle:
        steps = {
            f"s{index}": OracleStep(
                _decides if step.kind == "switch" else step.result, fails=step.kind == "fails"
            )
            for index, step in enumerate(self.steps)
        }
        paths = [
            OraclePath(f"s{path.source}", self.target(path), path.holds) for path in self.declared
        ]
        for index, step in enumerate(self.steps):
            if step.kind == "switch":
                paths += [OraclePath(f"s{index}", end, self._goes(index, end))
                          for end in self._ends(index)]  # fmt: skip
            if step.catch is not None:
                target = f"s{step.catch}" if step.catch < len(self.steps) else "end_here"
                paths.append(OraclePath(f"s{index}", target, lambda data: True, catches=True))
        return Oracle(steps, paths, BOUND)

    @property
    def declared(self) -> list[PathCase]:
        """The paths that stand in the flow; those of a switch are its cases."""
        return [path for path in self.paths if self.steps[path.source].kind != "switch"]

    def _cases(self, index: int) -> list[PathCase]:
        return [path for path in self.paths if path.source == index]

    def _ends(self, index: int) -> list[str]:
        return list(dict.fromkeys([*map(self.target, self._cases(index)), "end_here"]))

    def _goes(self, index: int, end: str) -> Callable[[Data], bool]:
        def goes(data: Data) -> bool:
            holding = [self.target(path) for path in self._cases(index) if path.holds(data)]
            return end == (holding[0] if holding else "end_here")

        return goes

    def _keys(self, index: int) -> dict[str, Any]:
        """Return what the definition of a step says beside its id."""
        step, keys = self.steps[index], {}
        if step.kind == "flaky":
            keys = {"error_handling": {"retry": {"max_attempts": 100, "initial_delay": 0}}}
        if step.kind == "switch":
            cases = [{"condition": _condition(path), "to": self.target(path)}
                     for path in self._cases(index)]  # fmt: skip
            never = [{"condition": asks("never"), "to": "end_here"}]
            keys = {"type": "switch", "cases": cases or never, "default": "end_here"}
        if step.catch is not None:
            target = f"s{step.catch}" if step.catch < len(self.steps) else "end_here"
            keys["catch"] = [{"errors": ["KeyError"], "to": "end_with_failure"},
                             {"errors": ["ValueError"], "to": target, "as": "problem"}]  # fmt: skip
        return keys

    def blueprint(self) -> Blueprint:
        """Return the real thing; every attempt of a flaky step's first two fails."""
        paths: list[dict[str, Any]] = []
        for path in self.declared:
            declared: dict[str, Any] = {"from": f"s{path.source}", "to": self.target(path)}
            if path.key is not None:
                declared["condition"] = _condition(path)
            paths.append(declared)
        return blueprint_of(
            {f"s{index}": _step(index, step) for index, step in enumerate(self.steps)},
            paths,
            of={f"s{index}": self._keys(index) for index in range(len(self.steps))},
            loop_config={"max_iterations": BOUND},
        )


def _condition(path: PathCase) -> dict[str, Any]:
    return {"type": "always"} if path.key is None else asks(path.key, "<", path.below)


def _decides(data: Data) -> Data:
    return {}


def _step(index: int, case: StepCase) -> FunctionStep:
    async def run(data: Data, step: Any) -> Data:
        for _ in range(case.turns):
            await asyncio.sleep(0)
        if case.kind == "fails":
            raise ValueError("planned")
        if case.kind == "flaky" and step.context.attempt < 3:
            raise ConnectionError("planned")
        if case.kind == "asks":
            return {"status": "human_input_required"}
        return case.result(data)

    return FunctionStep(f"s{index}", run)


def flows(*, cycles: bool, kinds: tuple[str, ...] = ("ok",)) -> st.SearchStrategy[FlowCase]:
    """Return random flows of up to nine steps."""

    @st.composite
    def draw_flow(draw: st.DrawFn) -> FlowCase:
        count = draw(st.integers(2, 9))
        steps = draw(st.lists(_steps(kinds), min_size=count, max_size=count))
        if not cycles:
            steps = [replace(step, catch=None if step.catch is None or step.catch <= at else
                             step.catch) for at, step in enumerate(steps)]  # fmt: skip
        ends = st.tuples(st.integers(0, count - 1), st.integers(0, count))
        pairs = draw(st.lists(ends, min_size=count - 1, max_size=3 * count))
        if not cycles:
            pairs = [(s, t) if s < t else (t, s) for s, t in pairs if s != t and s < count]
            pairs = [(s, t) for s, t in pairs if s < count]
        paths = [
            PathCase(s, t, draw(st.sampled_from((None, None, *KEYS))), draw(st.integers(1, 4)))
            for s, t in pairs
        ]
        return FlowCase(tuple(steps), tuple(paths))

    return draw_flow()


def _steps(kinds: tuple[str, ...]) -> st.SearchStrategy[StepCase]:
    return st.builds(
        StepCase,
        key=st.sampled_from(KEYS),
        add=st.integers(0, 4),
        passes_on=st.booleans(),
        turns=st.integers(0, 3),
        kind=st.sampled_from(kinds),
        catch=st.none() if "fails" not in kinds else st.none() | st.integers(0, 9),
    )
