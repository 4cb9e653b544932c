"""Pipelines for the chaos: fork and join, loop, retries, a person, a late beginning."""

import asyncio
from typing import Any

from contracts.payload import JsonObject
from executor_service import Step
from tests.e2e.weather_shape import leave_a_line, weather_shape

LOOPS = 3


class Worker(Step):
    """Leaves a line, takes a while, returns a count that grows by one each visit."""

    async def run(self, data: Any) -> Any:
        """Return how often this step was visited."""
        leave_a_line(self.context.idempotency_key)
        await asyncio.sleep(self.config.get("seconds", 0.02))
        return {f"{self.name}_visits": self.context.iteration}


class FailsTwice(Step):
    """Fails on its first two attempts."""

    async def run(self, data: Any) -> Any:
        """Raise twice, then return."""
        leave_a_line(self.context.idempotency_key)
        if self.context.attempt <= 2:
            raise ConnectionError("not yet")
        return {"tried": self.context.attempt}


class Ask(Step):
    """Asks a person."""

    async def run(self, data: Any) -> Any:
        """Ask."""
        leave_a_line(self.context.idempotency_key)
        return {"status": "human_input_required", "prompt": "Go on?"}


def _definition(name: str, classes: dict[str, str], paths: list[JsonObject]) -> JsonObject:
    steps: list[JsonObject] = [
        {"id": step, "module": __name__, "step_class": step_class}
        for step, step_class in classes.items()
    ]
    return {"name": name, "steps": steps, "flow": {"start_at": "a", "paths": paths}}


def _path(start: str, end: str, condition: JsonObject | None = None) -> JsonObject:
    return {"from_step": start, "to_step": end} | ({"condition": condition} if condition else {})


def _visits(operator: str) -> JsonObject:
    return {
        "type": "expression",
        "source": "result.b_visits",
        "operator": operator,
        "value": LOOPS,
    }


LINEAR = _definition(
    "linear", {"a": "Worker", "b": "Worker", "c": "Worker"}, [_path("a", "b"), _path("b", "c")]
)
LOOP = _definition(
    "loop",
    {"a": "Worker", "b": "Worker", "c": "Worker"},
    [_path("a", "b"), _path("b", "b", _visits("<")), _path("b", "c", _visits(">="))],
)
RETRY = _definition("retry", {"a": "Worker", "b": "FailsTwice"}, [_path("a", "b")])
RETRY["steps"][1]["error_handling"] = {
    "retry": {"max_attempts": 4, "initial_delay": 0.2, "jitter": False}
}
PERSON = _definition(
    "person", {"a": "Worker", "b": "Ask", "c": "Worker"}, [_path("a", "b"), _path("b", "c")]
)
SHAPE = weather_shape(seconds=0.02)
DEFINITIONS = (LINEAR, LOOP, RETRY, PERSON, SHAPE)
