"""One step event onto one visit of an execution."""

from collections.abc import Callable, Mapping
from typing import Final

from msgspec import Raw

from tracker_service.projections import event_structs
from tracker_service.projections.event_structs import column_text, error_of, json_text
from tracker_service.projections.fact import Fact, duration
from tracker_service.projections.row_changes import (
    Answer,
    Changes,
    Compensation,
    FailedAttempt,
    Progress,
    Question,
)
from tracker_service.projections.state import (
    NO_OUTCOME,
    STEP_CANCELLED,
    STEP_COMPLETED,
    STEP_FAILED,
    STEP_PENDING,
    STEP_RUNNING,
    STEP_SKIPPED,
    STEP_WAITING,
    ExecutionState,
    Visit,
)
from tracker_service.projections.stored_payloads import ASKED, RECORD_FIELDS, note_stored
from tracker_service.projections.undo_structs import (
    UNDOINGS,
    StepCompensatedLens,
    StepCompensationStartedLens,
)


def fold_step(state: ExecutionState, fact: Fact, changes: Changes) -> None:
    """Apply a step event; one for a visit that has ended changes nothing."""
    payload: event_structs.StepLens = fact.payload  # type: ignore[assignment]
    if type(payload) in UNDOINGS:
        if type(payload) is not StepCompensationStartedLens:
            compensate(state, fact, changes)
        return
    step_id = column_text(payload.step_id)
    key = (step_id, payload.iteration)
    visit = state.open_visits.get(key)
    if visit is None:
        if key in state.closed_visits:
            return
        visit = state.open_visits[key] = Visit(
            state.execution_id,
            step_id,
            payload.iteration,
            fact.seq,
            fact.time,
            step_name=step_id,
            item_index=payload.item_index,
        )
        if payload.item_index is None:
            state.outcomes.setdefault(step_id, NO_OUTCOME)
    changes.visits[(state.execution_id, step_id, payload.iteration)] = visit
    visit.attempt = payload.attempt
    STEP_FOLDS[type(payload)](state, visit, fact, changes)


def close_visit(
    state: ExecutionState, visit: Visit, status: str, fact: Fact, changes: Changes
) -> None:
    """End a visit and count its step by how its newest visit ended; an item is no step."""
    key = (visit.step_id, visit.iteration)
    _set_status(state, visit, status)
    visit.completed_at = fact.time
    told_ms: float = getattr(fact.payload, "duration_ms", 0.0)
    visit.execution_time_ms = duration(told_ms, visit.started_at, fact.time)
    state.open_visits.pop(key, None)
    state.closed_visits.add(key)
    if visit.item_index is None:
        _count(state, visit, status)
    changes.visits[(visit.execution_id, visit.step_id, visit.iteration)] = visit


def _count(state: ExecutionState, visit: Visit, status: str) -> None:
    before = state.outcomes.get(visit.step_id, NO_OUTCOME)
    if visit.iteration >= before[0]:
        state.outcomes[visit.step_id] = (visit.iteration, status)
        state.completed_steps += (status == STEP_COMPLETED) - (before[1] == STEP_COMPLETED)
        state.failed_steps += (status == STEP_FAILED) - (before[1] == STEP_FAILED)


def withdraw(state: ExecutionState, fact: Fact, changes: Changes) -> None:
    """Close what an ending leaves open: its end is not in the log and it would run for ever."""
    for visit in list(state.open_visits.values()):
        _cancel_question(visit, fact, changes)
        close_visit(state, visit, STEP_CANCELLED, fact, changes)
        visit.execution_time_ms = duration(0.0, visit.started_at, fact.time)


def compensate(state: ExecutionState, fact: Fact, changes: Changes) -> None:
    """Note that a step was undone, or that an attempt failed; its ended row stays as it ended."""
    payload: StepCompensatedLens = fact.payload  # type: ignore[assignment]
    changes.compensations.append(
        Compensation(
            state.execution_id,
            column_text(payload.step_id),
            payload.iteration,
            fact.seq,
            fact.time,
            _text_or_none(getattr(payload, "output", event_structs.NULL)),
            _text_or_none(payload.error),
            round(payload.duration_ms, 3),
        )
    )


def _text_or_none(raw: Raw) -> str | None:
    return None if raw == event_structs.NULL else json_text(raw)


def _keep_output(visit: Visit, raw: Raw) -> None:
    # As the tables do it: what brings no output leaves what is there, in one batch or in two.
    if raw != event_structs.NULL:
        visit.output_data = json_text(raw)


def _note_stored(
    visit: Visit,
    references: event_structs.References | None,
    changes: Changes,
    fields: Mapping[str, str] = RECORD_FIELDS,
) -> None:
    if references is not None:
        note_stored(changes, references, visit.execution_id, visit.step_id, visit.iteration, fields)


def _cancel_question(visit: Visit, fact: Fact, changes: Changes) -> None:
    if visit.status == STEP_WAITING and visit.interaction_id is not None:
        changes.answers.append(Answer(visit.interaction_id, "cancelled", fact.time))


def _note_error(visit: Visit, error: Raw) -> None:
    visit.error_message = column_text(error_of(error).message)
    visit.error_info = json_text(error)


def _set_status(state: ExecutionState, visit: Visit, status: str) -> None:
    """Change a visit's status, and with it how many wait, in whatever order a log has the two."""
    state.waiting_visits += (status == STEP_WAITING) - (visit.status == STEP_WAITING)
    visit.status = status


def _scheduled(state: ExecutionState, visit: Visit, _fact: Fact, _changes: Changes) -> None:
    _set_status(state, visit, STEP_PENDING)


def _started(state: ExecutionState, visit: Visit, fact: Fact, changes: Changes) -> None:
    payload: event_structs.StepStartedLens = fact.payload  # type: ignore[assignment]
    _set_status(state, visit, STEP_RUNNING)
    visit.step_type = column_text(payload.step_type)
    if payload.step_name:
        visit.step_name = column_text(payload.step_name)
    if visit.started_at is None:
        visit.started_at = fact.time
    # Null from the second attempt on: the input is unchanged.
    if payload.attempt == 1 or payload.input != event_structs.NULL:
        visit.input_data = json_text(payload.input)
        _note_stored(visit, payload.references, changes)
    if payload.item_count is not None:
        visit.item_count = payload.item_count


def _attempt_failed(state: ExecutionState, visit: Visit, fact: Fact, changes: Changes) -> None:
    payload: event_structs.StepAttemptFailedLens = fact.payload  # type: ignore[assignment]
    changes.failed_attempts.append(
        FailedAttempt(
            state.execution_id,
            visit.step_id,
            visit.iteration,
            payload.attempt,
            fact.seq,
            fact.time,
            payload.retry_at,
            round(payload.duration_ms, 3),
            column_text(error_of(payload.error).message),
            json_text(payload.error),
        )
    )

    if payload.progress != event_structs.NULL:
        _note_progress(visit, payload.progress, fact, changes)


def _progressed(_state: ExecutionState, visit: Visit, fact: Fact, changes: Changes) -> None:
    payload: event_structs.StepProgressedLens = fact.payload  # type: ignore[assignment]
    _note_progress(visit, payload.progress, fact, changes)


def _note_progress(visit: Visit, progress: Raw, fact: Fact, changes: Changes) -> None:
    place = (visit.execution_id, visit.step_id, visit.iteration, fact.seq, visit.attempt)
    changes.progress.append(Progress(*place, fact.time, json_text(progress)))


def _completed(state: ExecutionState, visit: Visit, fact: Fact, changes: Changes) -> None:
    payload: event_structs.StepCompletedLens = fact.payload  # type: ignore[assignment]
    visit.output_data = json_text(payload.output)
    _note_stored(visit, payload.references, changes)
    if payload.error != event_structs.NULL:  # What the fallback answered.
        _note_error(visit, payload.error)
    close_visit(state, visit, STEP_COMPLETED, fact, changes)


def _failed(state: ExecutionState, visit: Visit, fact: Fact, changes: Changes) -> None:
    payload: event_structs.StepFailedLens = fact.payload  # type: ignore[assignment]
    _keep_output(visit, payload.output)
    _note_stored(visit, payload.references, changes)
    _note_error(visit, payload.error)
    close_visit(state, visit, STEP_FAILED, fact, changes)


def _skipped(state: ExecutionState, visit: Visit, fact: Fact, changes: Changes) -> None:
    payload: event_structs.StepSkippedLens = fact.payload  # type: ignore[assignment]
    visit.step_type = column_text(payload.step_type)
    visit.step_name = column_text(payload.step_name) or visit.step_name
    visit.error_message = column_text(payload.reason) or None
    close_visit(state, visit, STEP_SKIPPED, fact, changes)


def _cancelled(state: ExecutionState, visit: Visit, fact: Fact, changes: Changes) -> None:
    payload: event_structs.StepCancelledLens = fact.payload  # type: ignore[assignment]
    _cancel_question(visit, fact, changes)
    visit.error_message = column_text(payload.reason) or None
    close_visit(state, visit, STEP_CANCELLED, fact, changes)


def _waiting(state: ExecutionState, visit: Visit, fact: Fact, changes: Changes) -> None:
    payload: event_structs.StepWaitingLens = fact.payload  # type: ignore[assignment]
    _set_status(state, visit, STEP_WAITING)
    visit.interaction_id = column_text(payload.interaction_id)
    _note_stored(visit, payload.references, changes, ASKED)
    _keep_output(visit, payload.output)
    changes.questions.append(
        Question(
            visit.interaction_id,
            state.execution_id,
            state.pipeline_id,
            visit.step_id,
            visit.step_name,
            visit.iteration,
            None if payload.prompt is None else column_text(payload.prompt),
            _text_or_none(payload.ui_schema),
            _text_or_none(payload.channels),
            _text_or_none(payload.assigned_users),
            _text_or_none(payload.output),
            fact.time,
            payload.expires_at,
        )
    )


def _resumed(state: ExecutionState, visit: Visit, fact: Fact, changes: Changes) -> None:
    payload: event_structs.StepResumedLens = fact.payload  # type: ignore[assignment]
    _set_status(state, visit, STEP_RUNNING)
    _note_stored(visit, payload.references, changes)
    changes.answers.append(
        Answer(
            column_text(payload.interaction_id),
            "expired" if payload.timed_out else "completed",
            fact.time,
            _text_or_none(payload.human_input),
            None if payload.responded_by is None else column_text(payload.responded_by),
        )
    )


def _child_started(state: ExecutionState, visit: Visit, fact: Fact, _changes: Changes) -> None:
    payload: event_structs.StepChildStartedLens = fact.payload  # type: ignore[assignment]
    _set_status(state, visit, STEP_RUNNING)
    visit.child_execution_id = column_text(payload.child_execution_id)


def _compensated(state: ExecutionState, _visit: Visit, fact: Fact, changes: Changes) -> None:
    compensate(state, fact, changes)


_Fold = Callable[[ExecutionState, Visit, Fact, Changes], None]
STEP_FOLDS: Final[dict[type, _Fold]] = {
    event_structs.StepScheduledLens: _scheduled,
    event_structs.StepStartedLens: _started,
    event_structs.StepAttemptFailedLens: _attempt_failed,
    event_structs.StepCompletedLens: _completed,
    event_structs.StepFailedLens: _failed,
    event_structs.StepSkippedLens: _skipped,
    event_structs.StepCancelledLens: _cancelled,
    event_structs.StepWaitingLens: _waiting,
    event_structs.StepResumedLens: _resumed,
    event_structs.StepChildStartedLens: _child_started,
    **dict.fromkeys(UNDOINGS, _compensated),
    event_structs.StepProgressedLens: _progressed,
}
