"""What the events of one visit have in common, and those that say what steplog found."""

from typing import Any

from executor_service.engine.path_choice import paths_taken
from executor_service.engine.state import State
from executor_service.engine.visit import Visit
from executor_service.errors import ConditionFailed, StepProblem
from steplog_contracts import events as ev
from steplog_contracts.payload import JsonValue


def of_visit(visit: Visit) -> dict[str, Any]:
    """Return the fields that say which visit and attempt an event is about."""
    return {
        "step_id": visit.step.id, "iteration": visit.iteration, "attempt": visit.attempt or 1,
        "item_index": visit.step.item_index,
    }  # fmt: skip


def problem_info(problem: StepProblem, visit: Visit) -> ev.ErrorInfo:
    """Return a problem that steplog found, as it is recorded."""
    return ev.ErrorInfo(
        type=type(problem).__name__,
        message=str(problem),
        step_id=visit.step.id,
        attempt=visit.attempt or 1,
    )


def routing_failed(visit: Visit, problem: ConditionFailed, duration_ms: float) -> ev.Event:
    """Return the failure of a step behind which no path could be chosen."""
    # Its work is done and trying again would do it twice, so neither retry nor
    # continue_on_error applies: where to go from here is not known.
    return ev.StepFailed(
        **of_visit(visit), error=problem_info(problem, visit), duration_ms=duration_ms
    )


def completed(state: State, visit: Visit, output: JsonValue) -> list[ev.Event]:
    """Return the end of a step whose result no code of its own just returned."""
    try:
        taken = paths_taken(state, visit, output)
    except ConditionFailed as problem:
        return [routing_failed(visit, problem, 0.0)]
    return [ev.StepCompleted(**of_visit(visit), output=output, taken=taken)]
