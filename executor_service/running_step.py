"""Which step runs here, for the log lines of its own code."""

from contextvars import ContextVar, Token
from typing import Any, NamedTuple

from executor_service.engine.state import Visit


class RunningStep(NamedTuple):
    """A visit to a step, and the attempt at it."""

    execution_id: str
    step_id: str
    iteration: int
    attempt: int


_running: ContextVar[RunningStep | None] = ContextVar("steplog_step", default=None)


def enter_step(execution_id: str, visit: Visit) -> Token[RunningStep | None]:
    """Note that a step's code runs in this context and in threads and tasks it begins."""
    return _running.set(RunningStep(execution_id, visit.step.id, visit.iteration, visit.attempt))


def leave_step(token: Token[RunningStep | None]) -> None:
    """Note that it does not any more."""
    _running.reset(token)


def add_step(_logger: Any, _method: str, line: Any) -> Any:
    """Put the running step on a log line; a processor of structlog."""
    context = _running.get()
    if context is not None:
        for name, value in context._asdict().items():
            line.setdefault(name, value)
    return line
