"""Pipelines for the chaos, each with what must be true of it, said without the engine.

Linear, fan-out, condition with fork and join, loop, delayed loop, retries, waits that are answered,
withdrawn, left open and that expire on a path of their own or into a failure.
"""

import asyncio
from dataclasses import dataclass, field
from typing import Any

from executor_service import Step
from steplog_contracts.payload import JsonObject
from tests.e2e.weather_shape import BRANCHES, leave_a_line, weather_shape

# Long enough that some step of an executor runs whenever it dies.
STEP_S = 0.15
LOOPS = 3
FAN = tuple(f"f{number}" for number in range(1, 6))
EXPIRES_AFTER_S = 2.0
LOOP_DELAY_S = 0.4
# For a step the others that must have ended before it starts: any one whole group of them.
NEEDS = {
    "clean": (("load",),),
    "fill_gaps": (("clean",),),
    "report": (BRANCHES,),
    **dict.fromkeys(BRANCHES, (("clean",),)),
    "b": (("a",),),
    "c": (("b",),),
    **dict.fromkeys(FAN, (("a",),)),
    "z": (FAN,),
}


class Worker(Step):
    """Leaves a line, takes a while, returns a count that grows by one each visit."""

    async def run(self, data: Any) -> Any:
        """Return how often this step was visited."""
        leave_a_line(self.context.idempotency_key)
        await asyncio.sleep(self.config.get("seconds", STEP_S))
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
    """Asks a person, who has `timeout_seconds` to answer if that is configured."""

    async def run(self, data: Any) -> Any:
        """Ask."""
        leave_a_line(self.context.idempotency_key)
        question = {"status": "human_input_required", "prompt": "Go on?"}
        return question | self.config


@dataclass(frozen=True)
class Kind:
    """A pipeline, how its executions end, and the visits to steps that rows must tell of."""

    name: str
    steps: dict[str, str]  # Step id -> class.
    paths: tuple[tuple[str, str, JsonObject | None], ...]
    ends_as: str = "completed"
    visits: int = 0  # As many as there are steps, unless said.
    settings: dict[str, JsonObject] = field(default_factory=dict)  # Step id -> more of its step.
    more: JsonObject = field(default_factory=dict)

    @property
    def definition(self) -> JsonObject:
        """Return what a RunPipeline carries."""
        steps = [
            {"id": step, "module": __name__, "step_class": name} | self.settings.get(step, {})
            for step, name in self.steps.items()
        ]
        paths = [
            {"from_step": start, "to_step": end} | ({"condition": condition} if condition else {})
            for start, end, condition in self.paths
        ]
        flow = {"start_at": "a", "paths": paths}
        return {"name": self.name, "steps": steps, "flow": flow} | self.more


@dataclass(frozen=True)
class Weather(Kind):
    """The shape of the weather example; one with gaps has a step more."""

    @property
    def definition(self) -> JsonObject:
        """Return the example's definition."""
        return weather_shape(seconds=STEP_S) | {"name": self.name}


def _result(field_name: str, operator: str, value: Any) -> JsonObject:
    source = f"result.{field_name}"
    return {"type": "expression", "source": source, "operator": operator, "value": value}


_THREE = {"a": "Worker", "b": "Worker", "c": "Worker"}
_ASKING = {"a": "Worker", "b": "Ask", "c": "Worker"}
_IN_A_ROW = (("a", "b", None), ("b", "c", None))
_ROUND = (
    ("a", "b", None),
    ("b", "b", _result("b_visits", "less_than", LOOPS)),
    ("b", "c", _result("b_visits", "greater_than_or_equal", LOOPS)),
)
_IN_TIME = {"b": {"config": {"timeout_seconds": EXPIRES_AFTER_S}}}
_PATIENT = {"retry": {"max_attempts": 4, "initial_delay": 0.2, "jitter": False}}

PERSON = Kind("person", _ASKING, _IN_A_ROW)
WITHDRAWN = Kind("withdrawn", _ASKING, _IN_A_ROW, "cancelled", visits=2)
LEFT_OPEN = Kind("left_open", _ASKING, _IN_A_ROW, "waiting_for_human", visits=2)
LINEAR = Kind("linear", _THREE, _IN_A_ROW)
LATER = Kind("later", _THREE, _IN_A_ROW)  # Sent with a `not_before`.
KINDS = (
    LINEAR,
    LATER,
    PERSON,
    WITHDRAWN,
    LEFT_OPEN,
    Weather("weather", {}, (), visits=6),
    Weather("weather_with_gaps", {}, (), visits=7),
    Kind(
        "fan_out",
        {"a": "Worker", **dict.fromkeys(FAN, "Worker"), "z": "Worker"},
        (*(("a", step, None) for step in FAN), *((step, "z", None) for step in FAN)),
    ),
    Kind("loop", _THREE, _ROUND, visits=2 + LOOPS),
    Kind("delayed_loop", _THREE, _ROUND, visits=2 + LOOPS,
         more={"loop_config": {"iteration_delay_seconds": LOOP_DELAY_S}}),
    Kind("retry", {"a": "Worker", "b": "FailsTwice"}, (("a", "b", None),),
         settings={"b": {"error_handling": _PATIENT}}),
    Kind("expires_onward", _ASKING,
         (("a", "b", None), ("b", "c", _result("timed_out", "equals", True))), settings=_IN_TIME),
    Kind("expires", _ASKING, _IN_A_ROW, "failed", visits=2, settings=_IN_TIME),
)  # fmt: skip
BY_NAME = {kind.name: kind for kind in KINDS}


def visits_of(kind: Kind) -> int:
    """Return how many rows of steps an execution of this kind has in the end."""
    return kind.visits or len(kind.steps)
