"""Bounds of what a payload says in columns: keys short enough for an index, times with a UTC form.

PostgreSQL's index entries end at 2,704 bytes, and SQLite's rows are to be the same ones. Numbers
are bounded by the types in `lens`.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final

from steplog_contracts.headers import MAX_ID_BYTES
from tracker_service.projections import event_structs
from tracker_service.projections.errors import Unfoldable
from tracker_service.projections.event_structs import Lens, column_text

# An execution's id and a name beside it: a step's, or the pipeline's.
MAX_NAMED_BYTES: Final = 2_600
# With so few characters no key is too long, however many bytes each has.
SHORT_CHARS: Final = 250

# Fields that are keys by themselves, and fields that stand in a key beside the execution's id.
_IDS: Final[dict[type, tuple[str, ...]]] = {
    event_structs.ExecutionStartedLens: ("definition_hash", "command_id", "parent_execution_id"),
    event_structs.OriginLens: ("execution_id",),
    event_structs.StepWaitingLens: ("interaction_id",),
    event_structs.StepResumedLens: ("interaction_id",),
    event_structs.CommandRefusedLens: ("command_id",),
}
_TIMES: Final[dict[type, str]] = {
    event_structs.StepScheduledLens: "due_at",
    event_structs.StepAttemptFailedLens: "retry_at",
    event_structs.StepWaitingLens: "expires_at",
}


def check_bounds(payload: Lens, execution_id: str) -> None:
    """Raise `Unfoldable` if a column or index has no room for something a payload says."""
    name: str = getattr(payload, "step_id", "") or getattr(payload, "pipeline_id", "")
    if len(name) > SHORT_CHARS:
        room = MAX_NAMED_BYTES - len(execution_id.encode())
        _check_length("step_id" if hasattr(payload, "step_id") else "pipeline_id", name, room)
    kind = type(payload)
    if kind in _IDS:
        for field, text in _ids(payload):
            _check_length(field, text, MAX_ID_BYTES)
    if kind in _TIMES:
        _check_time(_TIMES[kind], getattr(payload, _TIMES[kind]))


def _ids(payload: Lens) -> Iterator[tuple[str, str]]:
    for shape in (payload, getattr(payload, "origin", None)):
        for field in _IDS.get(type(shape), ()):
            text = getattr(shape, field)
            if text is not None and len(text) > SHORT_CHARS:
                yield field, text


def _check_length(field: str, text: str, most_bytes: int) -> None:
    length = len(column_text(text).encode())
    if length > most_bytes:
        raise Unfoldable("too_long", f"{field} has {length} bytes; {most_bytes} have room here.")


def _check_time(field: str, time: datetime | None) -> None:
    try:
        if time is not None:
            time.astimezone(UTC)
    except OverflowError as error:
        raise Unfoldable("bad_payload", f"{field} has no form in UTC: {time}.") from error
