"""Random flows: the same one as a pipeline of real steps and as the oracle's plain functions."""

import asyncio
from dataclasses import dataclass
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
    kind: str  # ok, fails, flaky or asks

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
            f"s{index}": OracleStep(step.result, fails=step.kind == "fails")
            for index, step in enumerate(self.steps)
        }
        paths = [
            OraclePath(f"s{path.source}", self.target(path), path.holds) for path in self.paths
        ]
        return Oracle(steps, paths, BOUND)

    def blueprint(self) -> Blueprint:
        """Return the real thing; every attempt of a flaky step's first two fails."""
        paths: list[dict[str, Any]] = []
        for path in self.paths:
            declared: dict[str, Any] = {"from": f"s{path.source}", "to": self.target(path)}
            if path.key is not None:
                declared["condition"] = asks(path.key, "<", path.below)
            paths.append(declared)
        retry = {"error_handling": {"retry": {"max_attempts": 100, "initial_delay": 0}}}
        return blueprint_of(
            {f"s{index}": _step(index, step) for index, step in enumerate(self.steps)},
            paths,
            of={f"s{i}": retry for i, step in enumerate(self.steps) if step.kind == "flaky"},
            loop_config={"max_iterations": BOUND},
        )


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
    )
