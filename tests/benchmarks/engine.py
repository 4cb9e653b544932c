"""`make bench-engine`: what a step costs in library use, without a tracker, on one core.

CPU time of this process, the best of several rounds: others on the machine only ever add. Memory is
what one execution of a flow leaves when every step returns all it was given.
"""

import asyncio
import time
import tracemalloc
from typing import Any

from executor_service import Allowlist, Pipeline, Step, create_pipeline_from_json
from executor_service.adapters.system_clock import SystemClock
from executor_service.definitions.blueprint import compile_steps
from executor_service.runtime.execution import Execution
from tests.benchmarks.figures import publish_figures

ROUNDS = 15
MAP_ROUNDS = 5
RUNS_OF_TEN_STEPS = 100
LONG_CHAIN_STEPS = 10_000
MAP_ITEMS = 10_000
BRANCHES = 1_000


class NoOp(Step):
    """Do nothing."""

    async def run(self, data: Any) -> None:
        """Return null."""


class PassOn(Step):
    """Return everything."""

    async def run(self, data: Any) -> Any:
        """Return all it was given, and a key of its own."""
        return {**data, self.name: 1}


def chain(steps: int, step_class: type[Step] = NoOp) -> Pipeline:
    """Return a pipeline of steps in a row."""
    paths = [{"from": f"s{i}", "to": f"s{i + 1}"} for i in range(steps - 1)]
    flow = {"start_at": "s0", "paths": paths}
    return Pipeline("chain", [step_class(f"s{i}") for i in range(steps)], flow)


def fan_out(branches: int) -> Pipeline:
    """Return a pipeline of one fork and one join."""
    middle = [f"b{i}" for i in range(branches)]
    paths = [{"from": "fork", "to": name} for name in middle]
    paths += [{"from": name, "to": "join"} for name in middle]
    steps = [NoOp(name) for name in ("fork", *middle, "join")]
    return Pipeline("fan_out", steps, {"start_at": "fork", "paths": paths})


def map_of_items() -> Pipeline:
    """Return a pipeline of one map over the items of its input."""
    step = {"module": "tests.benchmarks.engine", "step_class": "NoOp"}
    each = {"id": "each", "type": "map", "items": "{{ pipeline_input.items }}", "step": step}
    return create_pipeline_from_json(
        {"name": "map", "steps": [each], "flow": {"start_at": "each", "paths": []}}
    )


async def map_seconds() -> float:
    """Return the CPU time of an item of a map that does nothing, the best of several rounds."""
    pipeline, best = map_of_items(), float("inf")
    for _ in range(MAP_ROUNDS):
        began = time.process_time()
        await pipeline.run({"items": list(range(MAP_ITEMS))})
        best = min(best, time.process_time() - began)
    return best / MAP_ITEMS


async def cpu_seconds(pipeline: Pipeline, runs: int) -> float:
    """Return the CPU time of so many runs, the best of several rounds."""
    await pipeline.run({"x": 1})
    best = float("inf")
    for _ in range(ROUNDS):
        began = time.process_time()
        for _ in range(runs):
            await pipeline.run({"x": 1})
        best = min(best, time.process_time() - began)
    return best


class AtOnce:
    """A recorder that has everything on record within a turn of the loop."""

    async def record(self, events: Any, *, cause: Any = None, times: Any = None) -> None:
        """Take the events."""
        await asyncio.sleep(0)


async def pure_cpu_seconds(runs: int) -> float:
    """Return the CPU time of so many recorded runs of ten steps without effects."""
    made = chain(10)
    steps = [{"id": f"s{i}", "effects": "none"} for i in range(10)]
    definition = {**made.blueprint.definition, "steps": steps}
    blueprint = compile_steps([NoOp(f"s{i}") for i in range(10)], definition, Allowlist([]))
    best = float("inf")
    for _ in range(ROUNDS):
        began = time.process_time()
        for _ in range(runs):
            started = blueprint.started({"x": 1})
            await Execution(blueprint, "e", AtOnce(), clock=SystemClock()).start(started)
        best = min(best, time.process_time() - began)
    return best


async def kept_kib(steps: int) -> float:
    """Return the memory a run leaves, in KiB, when each step passes on all it was given."""
    pipeline = chain(steps, PassOn)
    payload = {"rows": list(range(1000, 2000))}
    tracemalloc.start()
    result = await pipeline.run(payload)
    kept = tracemalloc.get_traced_memory()[1] / 1024
    tracemalloc.stop()
    assert len(result["steps"]) == steps
    return kept


async def measure() -> dict[str, float]:
    """Return every figure."""
    ten = await cpu_seconds(chain(10), RUNS_OF_TEN_STEPS) / (10 * RUNS_OF_TEN_STEPS)
    long = await cpu_seconds(chain(LONG_CHAIN_STEPS), 1) / LONG_CHAIN_STEPS
    pure = await pure_cpu_seconds(RUNS_OF_TEN_STEPS)
    fork = await cpu_seconds(fan_out(BRANCHES), 1)
    return {
        "steps_per_s_linear_10": round(1 / ten),
        "map_items_per_s": round(1 / await map_seconds()),
        "pure_steps_per_s": round(10 * RUNS_OF_TEN_STEPS / pure),
        "us_per_step_linear_10": ten * 1e6,
        "us_per_step_linear_10000": long * 1e6,
        "fanout_1000_ms": fork * 1e3,
        "peak_kib_pass_on_10": await kept_kib(10),
        "peak_kib_pass_on_100": await kept_kib(100),
    }


if __name__ == "__main__":
    publish_figures("bench-engine", asyncio.run(measure()))
