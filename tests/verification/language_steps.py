"""The objects that run the tasks of a random definition, and look about while they do."""

import asyncio
from typing import Any, Protocol

from executor_service import Step
from steplog_contracts import events as ev
from tests.verification.language_cases import (
    FLAKY_FAILURES,
    LIMIT_S,
    LanguageCase,
    StepCase,
    is_bad,
    item_result,
    result_of,
)

_FOR_EVER_S = 1000


class Watching(Protocol):
    """The world that the steps run in."""

    dead: bool
    lives: dict[str, Any]
    complaints: list[str]


class DrawnStep(Step):
    """Does what was drawn."""

    def __init__(self, name: str, case: StepCase, world: Watching) -> None:
        super().__init__(name, {})
        self.case, self.world = case, world

    async def run(self, data: Any) -> Any:
        """Do it, after some time."""
        self._look_about()
        case = self.case
        await asyncio.sleep(case.seconds)
        match case.trouble:
            case "raises":
                raise ValueError("planned")
            case "flaky" if self.context.attempt <= FLAKY_FAILURES:
                raise ConnectionError("planned")
            case "hangs" | "silent":
                await asyncio.sleep(_FOR_EVER_S)
            case "beats":
                for count in range(3):
                    self.context.heartbeat(count)
                    await asyncio.sleep(1)
        match case.kind:
            case "human":
                limit = {"timeout_seconds": LIMIT_S} if case.limit else {}
                return {"status": "human_input_required", "prompt": "how many?",
                        "given": case.add, **limit}  # fmt: skip
            case "map":
                if is_bad(case, data):
                    raise ValueError("bad")
                return item_result(case, data)
            case "http":
                return {"response": {"status": 200, "body": self.config["body"]}}
        return result_of(case, data)

    def _look_about(self) -> None:
        """Complain where this run may not be: nothing with effects begins before it is on record,
        and nothing runs whose end is."""
        visit = self.context
        life = self.world.lives[visit.execution_id]
        if self.world.dead:
            return
        place = (visit.step_id, visit.iteration)
        if not self.case.pure and not life.has(ev.StepStarted, *place, visit.attempt):
            self.world.complaints.append(f"{place} began before it was on record")
        if life.has(ev.StepCompleted, *place):
            self.world.complaints.append(f"{place} ran after its end was on record")


class UndoableStep(DrawnStep):
    """A step that can be undone, after some failures."""

    async def compensate(self, data: Any, output: Any) -> Any:
        """Undo it."""
        visit = self.context
        step_id = visit.step_id.partition(":")[0]
        life = self.world.lives[visit.execution_id]
        started = life.has(ev.StepCompensationStarted, step_id, visit.iteration, visit.attempt)
        if not started and not self.world.dead:
            self.world.complaints.append(f"{step_id} was undone before that was on record")
        await asyncio.sleep(self.case.seconds)
        life.undone.append((step_id, visit.iteration, dict(data), output))
        if visit.attempt <= (self.case.undo or 0):
            raise ConnectionError("away")
        return {"undone": step_id}


def objects_of(case: LanguageCase, world: Watching) -> list[Step]:
    """Return the objects for the steps that run code; what is part of the language has its own,
    but for `http`, whose port this is."""
    return [
        (DrawnStep if step.undo is None else UndoableStep)(f"s{index}", step, world)
        for index, step in enumerate(case.steps)
        if step.kind in ("task", "human", "map", "http")
    ]
