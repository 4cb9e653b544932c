"""One event onto one execution: what becomes of its row, its visits and what hangs on them.

`fold` expects the next event of a history (the batch checks seq and epoch) and changes the state it
is given; `Changes` gathers what has to be written. Statuses go one way: an ended visit or
execution takes nothing more, whatever arrives.
"""

import hashlib

from pydantic_core import from_json

from steplog_contracts.errors import ContractError
from steplog_contracts.item_ids import map_of
from steplog_contracts.payload import sha256_of
from tracker_service.projections import event_structs
from tracker_service.projections.errors import Unfoldable
from tracker_service.projections.event_structs import column_text, error_of, json_text
from tracker_service.projections.fact import Fact, duration
from tracker_service.projections.row_changes import (
    AppliedCommand,
    Changes,
    Definition,
    StatusChange,
)
from tracker_service.projections.state import (
    COMPENSATING,
    EXECUTION_CANCELLED,
    EXECUTION_COMPLETED,
    EXECUTION_FAILED,
    RUNNING,
    WAITING,
    ExecutionStartColumns,
    ExecutionState,
)
from tracker_service.projections.step_fold import STEP_FOLDS, fold_step, withdraw
from tracker_service.projections.stored_payloads import note_stored
from tracker_service.projections.undo_structs import ExecutionCompensatingLens


def begin(fact: Fact, changes: Changes) -> ExecutionState:
    """Return the state of an execution that begins.

    Raises:
        Unfoldable: its first event is not ExecutionStarted.
    """
    started = fact.payload
    if not isinstance(started, event_structs.ExecutionStartedLens):
        raise Unfoldable("not_started", f"Execution {fact.execution_id} has no ExecutionStarted.")
    state = ExecutionState(
        execution_id=fact.execution_id,
        pipeline_id=column_text(started.pipeline_id),
        pipeline_name=column_text(started.pipeline_name),
        started_at=fact.time,
        declared_steps=started.total_steps,
        partition=fact.partition,
        seq=fact.seq,
        offset=fact.offset,
        first_offset=fact.offset,
    )
    state.beginning = _beginning(fact, started, changes)
    changes.executions[fact.execution_id] = state
    if started.references is not None:
        note_stored(changes, started.references, fact.execution_id)
    return state


def fold(state: ExecutionState, fact: Fact, changes: Changes) -> None:
    """Apply the next event of an execution that has begun.

    Raises:
        Unfoldable: the event contradicts the history before it; nothing has been changed then.
    """
    if type(fact.payload) in STEP_FOLDS:
        fold_step(state, fact, changes)
        _derive_status(state, fact, changes)
    else:
        _fold_execution(state, fact, changes)
    advance(state, fact, changes)


def _fold_execution(state: ExecutionState, fact: Fact, changes: Changes) -> None:
    payload = fact.payload
    if isinstance(payload, event_structs.ExecutionCompletedLens):
        state.output_data = json_text(payload.output)
        if payload.references is not None:
            note_stored(changes, payload.references, state.execution_id)
        _end(state, fact, EXECUTION_COMPLETED, payload.duration_ms, changes)
    elif isinstance(payload, ExecutionCompensatingLens):
        _set_status(state, fact, COMPENSATING, changes)
    elif isinstance(payload, event_structs.ExecutionFailedLens):
        state.error_message = column_text(error_of(payload.error).message)
        state.error_info = json_text(payload.error)
        _end(state, fact, EXECUTION_FAILED, payload.duration_ms, changes)
    elif isinstance(payload, event_structs.ExecutionCancelledLens):
        state.error_message = column_text(payload.reason) or None
        _end(state, fact, EXECUTION_CANCELLED, payload.duration_ms, changes)
    elif isinstance(payload, event_structs.ExecutionStartedLens):
        raise Unfoldable("started_twice", f"Execution {state.execution_id} began twice.")


def advance(state: ExecutionState, fact: Fact, changes: Changes) -> None:
    """Take an event as seen and the command that caused it as applied."""
    changes.executions[state.execution_id] = state
    state.seq = fact.seq
    state.offset = fact.offset
    command_id = fact.causation_id
    if command_id is not None and command_id not in changes.applied_commands:
        command_id = column_text(command_id)
        changes.applied_commands[command_id] = AppliedCommand(
            command_id, state.execution_id, fact.offset, fact.time
        )


def _beginning(
    fact: Fact, started: event_structs.ExecutionStartedLens, changes: Changes
) -> ExecutionStartColumns:
    origin = started.origin
    beginning = ExecutionStartColumns(
        version=_text(started.pipeline_version),
        definition_hash=_definition(fact, started, changes),
        input_data=json_text(started.input),
        parameters=json_text(started.parameters),
        metadata=json_text(started.metadata),
        command_id=_text(fact.causation_id or started.command_id),
        parent_execution_id=_text(started.parent_execution_id),
    )
    if origin is not None:
        beginning.forked_from = column_text(origin.execution_id)
        beginning.fork_kind = column_text(origin.kind)
        beginning.fork_step = column_text(origin.from_step)
        beginning.fork_seq = origin.at_seq
    return beginning


def _definition(
    fact: Fact, started: event_structs.ExecutionStartedLens, changes: Changes
) -> str | None:
    if started.definition == event_structs.NULL:
        return _text(started.definition_hash)
    text = json_text(started.definition)
    if not text.startswith("{"):
        raise Unfoldable("bad_payload", "definition: Input should be a valid dictionary.")
    told = started.definition_hash
    known = changes.definitions.get(told) if told else None
    # The same text under the same hash was computed before, earlier in these changes.
    key = known.definition_hash if known and known.definition == text else _hash_of(text, told)
    if key not in changes.definitions:
        changes.definitions[key] = Definition(
            key,
            column_text(started.pipeline_id),
            column_text(started.pipeline_name),
            text,
            fact.time,
        )
    return key


def _hash_of(text: str, told: str | None) -> str:
    """Return the definition's hash: a text is never believed to be the one a hash was made for."""
    found = hashlib.sha256(text.encode()).hexdigest()
    if told is None or told == found:
        return found
    try:
        compact = sha256_of(from_json(text))
    except (ValueError, ContractError):
        compact = None
    if told != compact:
        raise Unfoldable(
            "wrong_hash", f"definition_hash is {told[:80]!r}, but the definition has {found}."
        )
    return told


def _text(text: str | None) -> str | None:
    return None if text is None else column_text(text)


def _end(
    state: ExecutionState, fact: Fact, status: str, duration_ms: float, changes: Changes
) -> None:
    withdraw(state, fact, changes)
    state.status = status
    state.completed_at = fact.time
    state.execution_time_ms = duration(duration_ms, state.started_at, fact.time)


def _maps(state: ExecutionState) -> int:
    """Return how many of the open visits are maps that only wait for their open items."""
    maps = {
        (map_of(visit.step_id), visit.iteration)
        for visit in state.open_visits.values()
        if visit.item_index is not None
    }
    return len(maps & state.open_visits.keys())


def _derive_status(state: ExecutionState, fact: Fact, changes: Changes) -> None:
    if state.status == COMPENSATING:
        return  # Until it ends.
    waiting = state.waiting_visits
    status = WAITING if waiting and waiting == len(state.open_visits) - _maps(state) else RUNNING
    _set_status(state, fact, status, changes)


def _set_status(state: ExecutionState, fact: Fact, status: str, changes: Changes) -> None:
    if status != state.status:
        state.status = status
        changes.status_changes.append(StatusChange(state.execution_id, fact.seq, status, fact.time))
