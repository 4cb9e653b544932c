"""Where an execution stands when it stops running here."""

from dataclasses import dataclass
from typing import Any

from executor_service.engine.state import State
from executor_service.engine.values import copy_json
from steplog_contracts import events as ev
from steplog_contracts.payload import JsonValue
from steplog_contracts.records import FINAL_EXECUTION_STATUSES, ExecutionStatus


@dataclass(frozen=True, slots=True)
class Outcome:
    """Ended, or waiting for people. `raised` is what failed it, where that happened here."""

    status: ExecutionStatus
    output: JsonValue
    error: ev.ErrorInfo | None
    state: State
    raised: BaseException | None = None

    @property
    def ended(self) -> bool:
        """Whether nothing follows any more."""
        return self.status in FINAL_EXECUTION_STATUSES


def outcome_of(state: State, raised: BaseException | None) -> Outcome:
    """Return the outcome that a state amounts to; the output is a copy, for the caller to keep."""
    end: Any = state.end
    kind = type(end)  # Cheaper than a match: isinstance of an event is a call of pydantic's.
    if kind is ev.ExecutionCompleted:
        return Outcome(ExecutionStatus.COMPLETED, copy_json(end.output), None, state)
    if kind is ev.ExecutionFailed:
        return Outcome(ExecutionStatus.FAILED, None, end.error, state, raised)
    if kind is ev.ExecutionCancelled:
        return Outcome(ExecutionStatus.CANCELLED, None, None, state)
    if state.undoing is not None:
        return Outcome(ExecutionStatus.COMPENSATING, None, state.undoing.error, state, raised)
    return Outcome(ExecutionStatus.WAITING_FOR_HUMAN, None, None, state)
