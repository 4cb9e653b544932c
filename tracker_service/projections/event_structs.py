"""What the tracker looks at in a payload, and nothing else.

A lens reads the fields the rows need; user data stays the JSON text it came as (`msgspec.Raw`), so
it reaches the `json` columns byte for byte and is never parsed here. It is a fast reading of
`steplog_contracts.events`, not a second contract: what a lens can't read goes to
`steplog_contracts.codec`, whose word is final, and tests read every
contract class through its lens.
"""

from typing import Final

import msgspec
from msgspec import Raw, Struct

from tracker_service.projections.column_values import (
    Count,
    Index,
    Large,
    Milliseconds,
    Moment,
    Number,
    Seq,
)
from tracker_service.projections.undo_structs import (
    ExecutionCompensatingLens,
    StepCompensatedLens,
    StepCompensationFailedLens,
    StepCompensationStartedLens,
)

NULL: Final = Raw(b"null")
ABSENT: Final = Raw(b"")
# Of the sentence kept with a record that is set aside.
MAX_REASON_CHARS: Final = 2_000


class OriginLens(Struct, gc=False, frozen=True):
    """Where a forked or retried execution took its first results from."""

    execution_id: str
    kind: str
    from_step: str
    at_seq: Seq


class DataRefLens(Struct, gc=False, frozen=True):
    """See `steplog_contracts.data_ref.DataRef`."""

    uri: str
    sha256: str
    size_bytes: Large


References = dict[str, DataRefLens]


class ExecutionStartedLens(Struct, gc=False, frozen=True):
    """See `steplog_contracts.events.ExecutionStarted`."""

    pipeline_id: str
    pipeline_name: str
    pipeline_version: str | None = None
    definition: Raw = NULL
    definition_hash: str | None = None
    input: Raw = NULL
    parameters: Raw = Raw(b"{}")
    metadata: Raw = Raw(b"{}")
    total_steps: Number = 0
    command_id: str | None = None
    origin: OriginLens | None = None
    parent_execution_id: str | None = None
    references: References | None = None


class StepScheduledLens(Struct, gc=False, frozen=True):
    """See `steplog_contracts.events.StepScheduled`."""

    step_id: str
    due_at: Moment
    iteration: Count = 1
    attempt: Count = 1
    item_index: Index | None = None


class StepStartedLens(Struct, gc=False, frozen=True):
    """See `steplog_contracts.events.StepStarted`."""

    step_id: str
    iteration: Count = 1
    attempt: Count = 1
    item_index: Index | None = None
    step_name: str = ""
    step_type: str = "task"
    input: Raw = NULL
    item_count: Index | None = None
    references: References | None = None


class StepAttemptFailedLens(Struct, gc=False, frozen=True):
    """See `steplog_contracts.events.StepAttemptFailed`."""

    step_id: str
    error: Raw
    retry_at: Moment
    iteration: Count = 1
    attempt: Count = 1
    item_index: Index | None = None
    duration_ms: Milliseconds = 0.0
    progress: Raw = NULL


class StepProgressedLens(Struct, gc=False, frozen=True):
    """See `steplog_contracts.events.StepProgressed`."""

    step_id: str
    item_index: Index | None = None
    iteration: Count = 1
    attempt: Count = 1
    progress: Raw = NULL


class StepCompletedLens(Struct, gc=False, frozen=True):
    """See `steplog_contracts.events.StepCompleted`."""

    step_id: str
    iteration: Count = 1
    attempt: Count = 1
    item_index: Index | None = None
    output: Raw = NULL
    duration_ms: Milliseconds = 0.0
    error: Raw = NULL
    references: References | None = None


class StepFailedLens(Struct, gc=False, frozen=True):
    """See `steplog_contracts.events.StepFailed`."""

    step_id: str
    error: Raw
    iteration: Count = 1
    attempt: Count = 1
    item_index: Index | None = None
    output: Raw = NULL
    duration_ms: Milliseconds = 0.0
    references: References | None = None


class StepSkippedLens(Struct, gc=False, frozen=True):
    """See `steplog_contracts.events.StepSkipped`."""

    step_id: str
    iteration: Count = 1
    attempt: Count = 1
    item_index: Index | None = None
    step_name: str = ""
    step_type: str = "task"
    reason: str = ""


class StepCancelledLens(Struct, gc=False, frozen=True):
    """See `steplog_contracts.events.StepCancelled`."""

    step_id: str
    iteration: Count = 1
    attempt: Count = 1
    item_index: Index | None = None
    reason: str = ""
    duration_ms: Milliseconds = 0.0


class StepWaitingLens(Struct, gc=False, frozen=True):
    """See `steplog_contracts.events.StepWaiting`."""

    step_id: str
    interaction_id: str
    iteration: Count = 1
    attempt: Count = 1
    item_index: Index | None = None
    prompt: str | None = None
    ui_schema: Raw = NULL
    channels: Raw = NULL
    assigned_users: Raw = NULL
    output: Raw = NULL
    expires_at: Moment | None = None
    references: References | None = None


class StepResumedLens(Struct, gc=False, frozen=True):
    """See `steplog_contracts.events.StepResumed`."""

    step_id: str
    interaction_id: str
    iteration: Count = 1
    attempt: Count = 1
    item_index: Index | None = None
    human_input: Raw = NULL
    responded_by: str | None = None
    timed_out: bool = False
    references: References | None = None


class StepChildStartedLens(Struct, gc=False, frozen=True):
    """See `steplog_contracts.events.StepChildStarted`."""

    step_id: str
    child_execution_id: str
    iteration: Count = 1
    attempt: Count = 1
    item_index: Index | None = None


class ExecutionDeadlinePassedLens(Struct, gc=False, frozen=True):
    """See `steplog_contracts.events.ExecutionDeadlinePassed`."""

    to_step: str
    passed_at: Moment


class ExecutionCompletedLens(Struct, gc=False, frozen=True):
    """See `steplog_contracts.events.ExecutionCompleted`."""

    output: Raw = NULL
    duration_ms: Milliseconds = 0.0
    references: References | None = None


class ExecutionFailedLens(Struct, gc=False, frozen=True):
    """See `steplog_contracts.events.ExecutionFailed`."""

    error: Raw
    duration_ms: Milliseconds = 0.0


class ExecutionCancelledLens(Struct, gc=False, frozen=True):
    """See `steplog_contracts.events.ExecutionCancelled`."""

    reason: str = ""
    requested_by: str | None = None
    duration_ms: Milliseconds = 0.0


class CommandRefusedLens(Struct, gc=False, frozen=True):
    """See `steplog_contracts.events.CommandRefused`."""

    command_id: str
    command_type: str
    code: str
    message: str


class ErrorLens(Struct, gc=False, frozen=True):
    """The parts of an error that have columns of their own."""

    type: str
    message: str


StepLens = (
    StepScheduledLens | StepStartedLens | StepAttemptFailedLens | StepCompletedLens
    | StepFailedLens | StepSkippedLens | StepCancelledLens | StepWaitingLens | StepResumedLens
    | StepChildStartedLens | StepCompensatedLens | StepCompensationStartedLens
    | StepCompensationFailedLens | StepProgressedLens
)  # fmt: skip
Lens = (
    StepLens | ExecutionStartedLens | ExecutionDeadlinePassedLens | ExecutionCompensatingLens
    | ExecutionCompletedLens | ExecutionFailedLens | ExecutionCancelledLens | CommandRefusedLens
)  # fmt: skip

_error = msgspec.json.Decoder(ErrorLens)


def error_of(raw: Raw) -> ErrorLens:
    """Return type and message of an error's JSON."""
    return _error.decode(raw)


def json_text(raw: Raw) -> str:
    """Return the JSON text as it stood in the record; raises UnicodeDecodeError."""
    return str(raw, "utf-8")


def reason_text(text: str) -> str:
    """Return why a record is set aside as any column can hold it, whatever the record quotes."""
    return column_text(text[:MAX_REASON_CHARS].encode(errors="backslashreplace").decode())


def column_text(text: str) -> str:
    """Return text a database column can hold: U+0000 stands visibly as its escape.

    PostgreSQL's text type can't hold it (its manual, 8.3); in `json` columns the escape passes.
    """
    return text.replace("\x00", "\\u0000") if "\x00" in text else text
