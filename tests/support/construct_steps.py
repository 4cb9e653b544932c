"""A definition for each construct of the flow language, and the steps they name."""

import asyncio
import itertools
from typing import Any, Final

from executor_service import Step

HOLD_S: Final = 1.5
_HERE: Final = __name__


class Adds(Step):
    """Computes, and changes nothing."""

    async def run(self, data: Any) -> Any:
        """Return one more."""
        return {"n": data.get("n", 0) + 1}


class Books(Step):
    """Books something that can be undone, and says how far it came."""

    async def run(self, data: Any) -> Any:
        """Book."""
        self.context.heartbeat({"booked": data.get("item")})
        return {"booked": self.name}

    async def compensate(self, data: Any, output: Any) -> Any:
        """Undo it."""
        self.context.heartbeat("undoing")
        return {"undone": output["booked"]}


class Holds(Step):
    """Takes a while."""

    async def run(self, data: Any) -> Any:
        """Wait."""
        await asyncio.sleep(HOLD_S)


class Missing(Exception):
    """What a step did not find."""


class Finds(Step):
    """Finds nothing."""

    async def run(self, data: Any) -> Any:
        """Raise."""
        raise Missing("nothing there")


def of_class(step_id: str, name: str, **keys: Any) -> dict[str, Any]:
    """Return a step of a class of this module."""
    return {"id": step_id, "module": _HERE, "step_class": name, **keys}


def flow(*steps: dict[str, Any], ways: str = "", **more: Any) -> dict[str, Any]:
    """Return a definition; `ways` are paths such as `a>b a>c`, a row of the steps where empty."""
    ids = [step["id"] for step in steps]
    pairs = [way.split(">") for way in ways.split()] or list(itertools.pairwise(ids))
    paths = [{"from": one, "to": other} for one, other in pairs]
    return {"name": "p", "steps": list(steps), "flow": {"start_at": ids[0], "paths": paths}, **more}


NOOP: Final = {"type": "noop"}
FAILS: Final = {"id": "fails", "type": "fail", "error": "Enough"}
CHILD: Final = flow(of_class("b", "Books"), name="inner") | {"name": "inner"}
MAPPED: Final = {"id": "each", "type": "map", "items": [1, 2, 3]}
BOOKS_ITEM: Final = {"module": _HERE, "step_class": "Books"}
KAFKA: Final = {"id": "tell", "type": "kafka", "topic": "told", "value": "{{ n }}"}
ENOUGH: Final = {"type": "field_greater_than", "field": "n", "value": 2}

# By construct: the definition, how it ends, and a step to fork from.
CONSTRUCTS: Final[dict[str, tuple[dict[str, Any], str, str]]] = {
    "map": (flow({**MAPPED, "step": BOOKS_ITEM}, of_class("after", "Adds")), "completed",
            "each[1]"),
    "map_failing": (flow({**MAPPED, "step": {"module": _HERE, "step_class": "Finds"}}), "failed",
                    "each"),
    "pipeline": (flow({"id": "call", "type": "pipeline", "definition": CHILD, "input": {}},
                      of_class("after", "Adds")), "completed", "after"),
    "pipeline_failing": (flow({"id": "call", "type": "pipeline", "definition": flow(
        of_class("b", "Books"), FAILS)}), "failed", "call"),
    "wait": (flow({"id": "w", "type": "wait", "seconds": 0.05}, of_class("after", "Adds")),
             "completed", "after"),
    "set_now": (flow({"id": "s", "type": "set", "values": {"at": "{{ now() }}"}},
                     {"id": "meet", **NOOP}), "completed", "meet"),
    "kafka": (flow(of_class("a", "Adds"), KAFKA, of_class("after", "Adds")), "completed", "tell"),
    "timeout": (flow(of_class("a", "Adds"), {"id": "w", "type": "wait", "seconds": 3600},
                     timeout_seconds=0.3), "failed", "w"),
    "deadline": (flow(of_class("a", "Adds"), {"id": "w", "type": "wait", "seconds": 3600},
                      {"id": "late", **NOOP}, ways="a>w",
                      deadline={"after": 0.2, "then": "late"}), "completed", "w"),
    "catch": (flow(of_class("find", "Finds", catch=[
                       {"errors": ["Missing"], "to": "make", "as": "why"}]),
                   of_class("make", "Adds"), ways="make>end"), "completed", "make"),
    "join_any": (flow({"id": "a", **NOOP}, of_class("quick", "Adds"),
                      {"id": "slow", "type": "wait", "seconds": 3600},
                      {"id": "first", **NOOP, "join": {"when": "any"}},
                      ways="a>quick a>slow quick>first slow>first"), "completed", "first"),
    "end_all": (flow({"id": "a", **NOOP}, of_class("quick", "Adds"),
                     {"id": "slow", "type": "wait", "seconds": 3600},
                     ways="a>quick a>slow quick>end_all"), "completed", "quick"),
    "switch": (flow(of_class("a", "Adds"),
                    {"id": "which", "type": "switch", "default": "a",
                     "cases": [{"condition": ENOUGH, "to": "b"}]}, of_class("b", "Adds"),
                    ways="a>which"), "completed", "b"),
    "compensation": (flow(of_class("book", "Books"), {**MAPPED, "step": BOOKS_ITEM}, FAILS,
                          on_failure="compensate"), "failed", "book"),
    "pure": (flow(*(of_class(f"p{n}", "Adds", effects="none") for n in range(6)),
                  of_class("b", "Books")), "completed", "p3"),
}  # fmt: skip
