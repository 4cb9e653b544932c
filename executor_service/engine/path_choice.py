"""Which paths the flow takes from a step: asked once, when the step's end is decided."""

from collections.abc import Sequence
from typing import Final

from executor_service.engine.exception_facts import class_names, inner_errors
from executor_service.engine.operators import one_decision
from executor_service.engine.plan import PathPlan, StepPlan
from executor_service.engine.references import Reading
from executor_service.engine.state import State
from executor_service.engine.visit import Visit
from steplog_contracts.events import ErrorInfo
from steplog_contracts.payload import JsonValue

# In a `catch`: whatever the error is.
ANY_ERROR: Final = "*"


def paths_taken(
    state: State, visit: Visit, output: JsonValue, *, failed: bool = False
) -> tuple[int, ...]:
    """Return the indices of the outgoing paths whose conditions hold, in declared order.

    `failed`: the step failed, and the output tells its error.

    Raises:
        ConditionFailed: a condition could not be evaluated.
    """
    step = visit.step
    if step.always is not None:
        return step.always
    reading = state.reading_after(visit, output, failed=failed)
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
    if path.catch is not None or (path.branch is not None and not _chosen(path.branch, output)):
        return False
    return path.condition is None or path.condition(reading)


def _chosen(branch: bool | str, output: JsonValue) -> bool:
    # A number equals a bool, and is no outcome of a condition.
    return output is branch if isinstance(branch, bool) else output == branch


def path_after(step: StepPlan, error: ErrorInfo, raised: BaseException | None) -> PathPlan | None:
    """Return the path of the first `catch` that an error is one of, if any.

    Without the exception itself its bases are not known, and its own name alone counts.
    """
    own = {error.type, error.type.rpartition(".")[2]}
    names = class_names(raised) if raised is not None else frozenset(own)
    inner = [class_names(one) for one in inner_errors(raised)] if raised is not None else []
    for path in step.outgoing:
        if path.catch is not None and _covers(path.catch.errors, names, inner):
            return path
    return None


def _covers(errors: frozenset[str], names: frozenset[str], inner: Sequence[frozenset[str]]) -> bool:
    """Say whether an error, or each one that lies in a group, bears one of the names."""
    if ANY_ERROR in errors or errors & names:
        return True
    return bool(inner) and all(errors & one for one in inner)
