"""What the tracker looks at in the payloads of a compensation; see `event_structs`."""

from typing import Final

from msgspec import Raw, Struct

from tracker_service.projections.column_values import Count, Index, Milliseconds, Moment

NULL: Final = Raw(b"null")


class StepCompensatedLens(Struct, gc=False, frozen=True):
    """See `steplog_contracts.events.StepCompensated`."""

    step_id: str
    iteration: Count = 1
    attempt: Count = 1
    item_index: Index | None = None
    output: Raw = NULL
    error: Raw = NULL
    duration_ms: Milliseconds = 0.0


class ExecutionCompensatingLens(Struct, gc=False, frozen=True):
    """See `steplog_contracts.events.ExecutionCompensating`."""

    error: Raw = NULL
    reason: str = ""
    requested_by: str | None = None


class StepCompensationStartedLens(Struct, gc=False, frozen=True):
    """See `steplog_contracts.events.StepCompensationStarted`."""

    step_id: str
    iteration: Count = 1
    attempt: Count = 1
    item_index: Index | None = None


class StepCompensationFailedLens(Struct, gc=False, frozen=True):
    """See `steplog_contracts.events.StepCompensationFailed`."""

    step_id: str
    error: Raw
    iteration: Count = 1
    attempt: Count = 1
    item_index: Index | None = None
    retry_at: Moment | None = None
    duration_ms: Milliseconds = 0.0


# What says nothing of a visit's own row.
UNDOINGS: Final[tuple[type[Struct], ...]] = (
    StepCompensatedLens, StepCompensationStartedLens, StepCompensationFailedLens,
)  # fmt: skip
