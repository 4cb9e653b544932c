"""Which step runs here, for the log lines of its own code."""

from contextvars import ContextVar
from typing import Any, Final

from executor_service.engine.visit import Visit

# The execution's id, the visit, and the attempt at it. Set for every step and read for few, in this
# context and in the threads and tasks that the step begins.
RUNNING_STEP: Final[ContextVar[tuple[str, Visit, int] | None]] = ContextVar(
    "steplog_step", default=None
)


def add_step(_logger: Any, _method: str, line: Any) -> Any:
    """Put the running step on a log line; a processor of structlog."""
    context = RUNNING_STEP.get()
    if context is not None:
        execution_id, visit, attempt = context
        line.setdefault("execution_id", execution_id)
        line.setdefault("step_id", visit.step.id)
        line.setdefault("iteration", visit.iteration)
        line.setdefault("attempt", attempt)
    return line
