"""Reading how steps are undone: by a method of their class, or by a class of its own."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Final

from executor_service.definitions.retry_parser import retry_policy
from executor_service.engine.plan import CompensationPlan
from executor_service.steps.step import Step
from steplog_contracts.definition_parts import Compensation
from steplog_contracts.step_types import TaskStep

METHOD: Final = "compensate"
Problem = Callable[[str, str, str], None]
# Loads the class that a task names, under a name; says what is wrong with it.
Load = Callable[[TaskStep, str, str], None]


def undoing_class(step_id: str) -> str:
    """Return the name that the class which undoes a step is made under."""
    return f"{step_id}!{METHOD}"


@dataclass(frozen=True, slots=True)
class ClassesAtHand:
    """The classes of the steps of a definition: those of objects made already, and loaded ones."""

    made: Collection[str] | None
    loaded: Mapping[str, type[Step]]
    load: Load
    problem: Problem

    def of(self, step_id: str) -> type[Step] | None:
        """Return the class of a step, None where it is not known."""
        made = self.made.get(step_id) if isinstance(self.made, Mapping) else None
        return made or self.loaded.get(step_id)


def read_compensation(
    task: TaskStep, step_id: str, where: str, at_hand: ClassesAtHand
) -> CompensationPlan | None:
    """Return how a step is undone; None where it is not."""
    written, where = task.compensate, f"{where}.compensate"
    if written is False:
        return None
    given = written if isinstance(written, Compensation) else Compensation()
    retry = None if given.retry is None else retry_policy(given.retry)
    if given.module or given.step_class or given.class_:
        made_as = undoing_class(step_id)
        names = {"module": given.module, "step_class": given.step_class or given.class_}
        at_hand.load(TaskStep(id=made_as, config=given.config, **names), made_as, where)
        return CompensationPlan(None, made_as, retry, given.timeout_seconds)
    method = written if isinstance(written, str) else given.method or METHOD
    step_class = at_hand.of(step_id)
    if step_class is not None and not callable(getattr(step_class, method, None)):
        if written is None:
            return None
        at_hand.problem(where, f"{step_class.__name__} has no method '{method}'.", "define it")
    if step_class is None and written is None:
        return None  # Without its class nobody can tell.
    return CompensationPlan(method, None, retry, given.timeout_seconds)
