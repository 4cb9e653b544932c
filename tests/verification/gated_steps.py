"""Steps that run until the test opens their gate, and count their runs."""

import asyncio
from collections import Counter
from typing import Any

from executor_service import Step
from steplog_contracts.payload import JsonObject

RUNS: Counter[tuple[str, str]] = Counter()
_GATES: list[asyncio.Future[None]] = []


class Gated(Step):
    """Waits at its gate."""

    async def run(self, data: Any) -> Any:
        """Count the run, then wait."""
        RUNS[self.context.execution_id, self.context.step_id] += 1
        gate: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        _GATES.append(gate)
        await gate
        return {self.name: True}


def reset() -> None:
    """Forget every run and gate."""
    RUNS.clear()
    _GATES.clear()


def waiting() -> int:
    """Return how many steps stand at their gates."""
    _GATES[:] = [gate for gate in _GATES if not gate.done()]
    return len(_GATES)


def open_gate(index: int) -> None:
    """Let one step return."""
    if waiting():
        _GATES[index % len(_GATES)].set_result(None)


def open_all() -> None:
    """Let every step return."""
    for _ in range(waiting()):
        open_gate(0)


# A fork and a join, so that order within an execution matters.
DEFINITION: JsonObject = {
    "name": "gated",
    "steps": [
        {"id": step, "module": __name__, "step_class": "Gated"} for step in ("a", "b", "c", "d")
    ],
    "flow": {
        "start_at": "a",
        "paths": [
            {"from_step": "a", "to_step": "b"},
            {"from_step": "a", "to_step": "c"},
            {"from_step": "b", "to_step": "d"},
            {"from_step": "c", "to_step": "d"},
        ],
    },
}
NEEDS = {"b": (("a",),), "c": (("a",),), "d": (("b", "c"),)}
