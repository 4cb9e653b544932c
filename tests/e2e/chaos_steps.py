"""Pipelines for the chaos, each with what must be true of it, said without the engine.

Linear, fan-out, condition with fork and join, loop, delayed loop, retries, waits that are answered,
withdrawn, left open and that expire on a path of their own or into a failure; maps of many items,
trees of executions three deep, waits for a time, compensations, heartbeats.
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
MAP_ITEMS = 1_000
ITEMS_AT_ONCE = 50
TREE_DEPTH = 3
WAIT_S = 2.0
BEATS = 8
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


class Item(Step):
    """Does an item of a map."""

    async def run(self, data: Any) -> Any:
        """Return its double."""
        leave_a_line(self.context.idempotency_key)
        return data["item"] * 2


class Books(Step):
    """Books something that can be given back."""

    async def run(self, data: Any) -> Any:
        """Book it."""
        leave_a_line(self.context.idempotency_key)
        await asyncio.sleep(STEP_S)
        return {f"{self.name}_booked": True}

    async def compensate(self, data: Any, output: Any) -> Any:
        """Give it back; `data` and `output` are those of `run`."""
        await asyncio.sleep(STEP_S)
        return {
            "back": output[f"{self.context.step_id.partition(':')[0]}_booked"],
            "had": len(data),
        }


class Fails(Step):
    """Fails for good."""

    async def run(self, data: Any) -> Any:
        """Raise."""
        leave_a_line(self.context.idempotency_key)
        raise ValueError("no seat is left")


class Beats(Step):
    """Says how far it is while it works."""

    async def run(self, data: Any) -> Any:
        """Return how often it said so."""
        leave_a_line(self.context.idempotency_key)
        for count in range(BEATS):
            self.context.heartbeat({"done": count})
            await asyncio.sleep(STEP_S)
        return {"beats": BEATS}


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
    weight: float = 1.0  # How often it is sent, beside the others.
    items: int = 0  # Of its map `b`.
    undone: tuple[str, ...] = ()  # Steps that are undone, in this order.

    @property
    def definition(self) -> JsonObject:
        """Return what a RunPipeline carries; a step without a class runs no code."""
        steps = [
            {"id": step}
            | ({"module": __name__, "step_class": name} if name else {})
            | self.settings.get(step, {})
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


def _tree(depth: int) -> JsonObject:
    """Return a pipeline that has another one run, so many deep."""
    if depth == 1:
        return Kind("tree_1", _THREE, _IN_A_ROW).definition
    step = {"id": "a", "type": "pipeline", "definition": _tree(depth - 1)}
    return {"name": f"tree_{depth}", "steps": [step], "flow": {"start_at": "a", "paths": []}}


_EACH = {"type": "map", "items": list(range(MAP_ITEMS)), "max_concurrency": ITEMS_AT_ONCE,
         "step": {"module": __name__, "step_class": "Item"}}  # fmt: skip
_CODELESS = {"a": "Worker", "b": "", "c": "Worker"}
MAP = Kind("map", _CODELESS, _IN_A_ROW, settings={"b": _EACH}, weight=0.3, items=MAP_ITEMS)
TREE = Kind("tree", _CODELESS, _IN_A_ROW,
            settings={"b": {"type": "pipeline", "definition": _tree(TREE_DEPTH - 1)}})  # fmt: skip
UNDOES = Kind("undoes", {"a": "Books", "b": "Books", "c": "Fails"}, _IN_A_ROW, "failed",
              more={"on_failure": "compensate"}, undone=("b", "a"))  # fmt: skip
KINDS = (
    MAP,
    TREE,
    UNDOES,
    Kind("wait", _CODELESS, _IN_A_ROW, settings={"b": {"type": "wait", "seconds": WAIT_S}}),
    Kind("beats", {"a": "Worker", "b": "Beats", "c": "Worker"}, _IN_A_ROW,
         settings={"b": {"error_handling": {"heartbeat_timeout_seconds": 30}}}),
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
