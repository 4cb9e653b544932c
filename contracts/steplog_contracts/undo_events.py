"""The events of a compensation: what undoes the steps of an execution that failed."""

from datetime import datetime
from typing import ClassVar

from pydantic import NonNegativeFloat

from steplog_contracts.event_base import ErrorInfo, Event, StepEvent
from steplog_contracts.payload import JsonValue


class StepCompensated(StepEvent):
    """A completed step was undone after its execution failed or was cancelled."""

    event_type: ClassVar[str] = "steplog.step.compensated.v1"

    output: JsonValue = None
    error: ErrorInfo | None = None
    duration_ms: NonNegativeFloat = 0.0


class ExecutionCompensating(Event):
    """The execution failed or was cancelled, and its completed steps are undone before it ends."""

    event_type: ClassVar[str] = "steplog.execution.compensating.v1"

    error: ErrorInfo | None = None  # What failed it; null where it was cancelled.
    reason: str = ""
    requested_by: str | None = None


class StepCompensationStarted(StepEvent):
    """An attempt to undo a completed step began; acknowledged before the code runs."""

    event_type: ClassVar[str] = "steplog.step.compensation_started.v1"


class StepCompensationFailed(StepEvent):
    """An attempt to undo a step failed; without `retry_at` none follows before a person resumes."""

    event_type: ClassVar[str] = "steplog.step.compensation_failed.v1"

    error: ErrorInfo
    retry_at: datetime | None = None
    duration_ms: NonNegativeFloat = 0.0
