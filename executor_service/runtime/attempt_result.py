"""What comes out of an attempt at a step: a result, another try later, a failure for good."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, NamedTuple

from executor_service.engine.child_decisions import ChildBegun, ChildTimedOut
from executor_service.steps.step import StepData
from steplog_contracts import events as ev
from steplog_contracts.payload import JsonValue


@dataclass(slots=True)
class Returned:
    """The attempt has a result, its own or its fallback's."""

    output: JsonValue
    duration_ms: float
    fallback_for: ev.ErrorInfo | None = None


@dataclass(slots=True)
class TryAgain:
    """The attempt failed and another one follows after a delay."""

    error: ev.ErrorInfo
    delay: timedelta
    duration_ms: float
    progress: JsonValue = None  # Of its last heartbeat, where that is not on record.


@dataclass(slots=True)
class GaveUp:
    """The step failed for good; `raised` is the exception itself, for callers in this process."""

    error: ev.ErrorInfo
    duration_ms: float
    raised: BaseException


class Called(NamedTuple):
    """A step's method, to be called in a thread or within a limit, with its data."""

    method: Callable[..., Any]
    data: StepData


AttemptResult = Returned | TryAgain | GaveUp | ChildBegun | ChildTimedOut
