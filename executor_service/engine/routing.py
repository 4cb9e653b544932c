"""Which paths the flow takes from a step: asked once, when the step's end is decided."""

from executor_service.engine.operators import one_decision
from executor_service.engine.plan import PathPlan
from executor_service.engine.references import Reading
from executor_service.engine.state import State
from executor_service.engine.visit import Visit
from steplog_contracts.payload import JsonValue


def paths_taken(state: State, visit: Visit, output: JsonValue) -> tuple[int, ...]:
    """Return the indices of the outgoing paths whose conditions hold, in declared order.

    Raises:
        ConditionFailed: a condition could not be evaluated.
    """
    step = visit.step
    if step.always is not None:
        return step.always
    reading = state.reading_after(visit, output)
    with one_decision():
        return tuple(path.index for path in step.outgoing if _holds(path, reading, output))


def answers_expiry(state: State, visit: Visit, output: JsonValue) -> bool:
    """Say whether a path that asks for `result.timed_out` holds after a wait expired."""
    reading = state.reading_after(visit, output)
    with one_decision():
        return any(
            path.asks_timed_out and _holds(path, reading, output) for path in visit.step.outgoing
        )


def _holds(path: PathPlan, reading: Reading, output: JsonValue) -> bool:
    if path.branch is not None and path.branch is not output:
        return False
    return path.condition is None or path.condition(reading)
