"""The shape of the weather example with steps that take milliseconds: condition, fork, join."""

import asyncio
import os
import time
from pathlib import Path
from typing import Any

from executor_service import Step
from steplog_contracts.payload import JsonObject

STEP_IDS = ("load", "clean", "fill_gaps", "monthly", "extremes", "plot", "report")
BRANCHES = ("monthly", "extremes", "plot")
# Where each run of a step leaves a line, so that a test can count runs, not only records.
RUNS_FILE_VARIABLE = "TEST_RUNS_FILE"


class Work(Step):
    """Takes a little while, leaves a line behind, and returns something of its own."""

    async def run(self, data: Any) -> Any:
        """Return one key named after the step."""
        leave_a_line(self.context.idempotency_key)
        await asyncio.sleep(self.config.get("seconds", 0.005))
        return {self.name: data.get("n", 0)}


def leave_a_line(idempotency_key: str) -> None:
    """Note that a step's code ran, in which process, and when (epoch seconds)."""
    runs_file = os.environ.get(RUNS_FILE_VARIABLE)
    if runs_file:
        with Path(runs_file).open("a") as lines:
            lines.write(f"{idempotency_key} {os.getpid()} {time.time():.3f}\n")


def weather_shape(seconds: float = 0.005) -> JsonObject:
    """Return a definition: `gaps` in the input routes through fill_gaps."""
    gaps = {"type": "expression", "source": "gaps", "operator": "greater_than", "value": 0}
    none = {"type": "expression", "source": "gaps", "operator": "equals", "value": 0}
    paths: list[JsonObject] = [
        {"from_step": "load", "to_step": "clean"},
        {"from_step": "clean", "to_step": "fill_gaps", "condition": gaps},
    ]
    for branch in BRANCHES:
        paths += [
            {"from_step": "clean", "to_step": branch, "condition": none},
            {"from_step": "fill_gaps", "to_step": branch},
            {"from_step": branch, "to_step": "report"},
        ]
    steps = [
        {"id": i, "module": __name__, "step_class": "Work", "config": {"seconds": seconds}}
        for i in STEP_IDS
    ]
    return {
        "name": "weather_shape",
        "steps": steps,
        "flow": {"start_at": "load", "paths": paths},
    }
