"""The steps of most executions: started once, completed, one row each, and nothing else to note.

Nearly all events of a log are of that kind, so they go a short way: from a heading to a row in
PostgreSQL's own format, with a few words of memory in between. Whatever is out of the ordinary is
left, before anything has changed, to the fold in `projections`: `leave` brings the execution's
state to where that fold would have brought it, and the execution goes on there.
`tests/verification/test_rebuild_exactness.py` holds the two ways together.
"""

from typing import Final

import msgspec
from mypy_extensions import i64

from steplog_contracts import events
from steplog_contracts.json_depth import MAX_READ_DEPTH_LEVELS, nests_deeper
from tracker_service.compiled.pg_copy_writer import CopyRows, microseconds
from tracker_service.projections.column_bounds import SHORT_CHARS
from tracker_service.projections.event_structs import NULL, StepCompletedLens, StepStartedLens
from tracker_service.projections.fact import duration
from tracker_service.projections.record_header import Heading, Unreadable
from tracker_service.projections.state import (
    NO_OUTCOME,
    STEP_COMPLETED,
    STEP_RUNNING,
    ExecutionState,
    Visit,
)

# As many as `store.tables.VISITS` has columns, and in its order.
FIELDS: Final = 21
_STARTED: Final = events.StepStarted.event_type
_COMPLETED: Final = events.StepCompleted.event_type
_COMPLETED_STATUS: Final = STEP_COMPLETED.encode()
_started: Final = msgspec.json.Decoder(StepStartedLens)
_completed: Final = msgspec.json.Decoder(StepCompletedLens)
_UNREADABLE: Final = (msgspec.MsgspecError, UnicodeError, RecursionError)
_NUL: Final = "\x00"  # No column holds it as it is; see `lens.column_text`.


class OpenStep:
    """A step that has started and not ended."""

    def __init__(self, heading: Heading, started: StepStartedLens) -> None:
        self.seq = heading.seq
        self.time = heading.time
        self.step_id = started.step_id.encode()
        self.name = started.step_name.encode() or self.step_id
        self.type = started.step_type.encode()
        self.input = bytes(started.input)


class PlainExecution:
    """An execution whose steps were all plain up to now: each that began, None once it ended."""

    def __init__(self, execution_id: str, seq: int, offset: int, under_epoch: bool) -> None:
        self.key = execution_id.encode()
        self.under_epoch = under_epoch
        self.seq = seq
        self.offset = offset
        self.steps: dict[str, OpenStep | None] = {}


class PlainSteps:
    """Executions of one partition that are plain so far, and the rows of their ended steps."""

    def __init__(self) -> None:
        self._executions: dict[str, PlainExecution] = {}
        self.rows = CopyRows()
        self.held_bytes: i64 = 0  # Inputs of steps that have not ended.

    def begin(self, state: ExecutionState) -> None:
        """Go on here with an execution of which nothing is known but its beginning."""
        plain = PlainExecution(
            state.execution_id, state.seq, state.offset, state.under_epoch is True
        )
        self._executions[state.execution_id] = plain

    def take_from(self, headings: list[Heading | Unreadable], start: int, epoch: int | None) -> int:
        """Take headings from a place on; return the place of the first that is not plain."""
        at: i64 = start
        end: i64 = len(headings)
        while at < end and self.take(headings[at], epoch):
            at += 1
        return at

    def take(self, heading: Heading | Unreadable, epoch: int | None) -> bool:
        """Take an event if it is plain; `epoch` is the one in force."""
        if isinstance(heading, Unreadable):
            return False
        execution = self._executions.get(heading.execution_id)
        if execution is None or heading.causation_id is not None:
            return False
        seq = heading.seq
        if seq != execution.seq + 1:
            return False
        if heading.epoch != (epoch if execution.under_epoch else None):
            return False
        try:
            if not self._fold(execution, heading):
                return False
        except _UNREADABLE:
            return False
        execution.seq = seq
        execution.offset = heading.offset
        return True

    def leave(self, state: ExecutionState) -> None:
        """Bring a state to where the execution is, and go on with it elsewhere."""
        execution = self._executions.pop(state.execution_id, None)
        if execution is None:
            return
        for step_id, step in execution.steps.items():
            if step is None:
                state.closed_visits.add((step_id, 1))
                state.outcomes[step_id] = (1, STEP_COMPLETED)
                state.completed_steps += 1
            else:
                self.held_bytes -= len(step.input)
                state.open_visits[(step_id, 1)] = _visit(state.execution_id, step_id, step)
                state.outcomes[step_id] = NO_OUTCOME
        state.seq = execution.seq
        state.offset = execution.offset

    def _fold(self, execution: PlainExecution, heading: Heading) -> bool:
        kind, value = heading.kind, heading.value
        if kind not in (_STARTED, _COMPLETED) or nests_deeper(value, MAX_READ_DEPTH_LEVELS):
            return False
        if kind == _STARTED:
            started: StepStartedLens = _started.decode(value)
            return _is_utf8(value) and self._start(execution, heading, started)
        completed: StepCompletedLens = _completed.decode(value)
        return _is_utf8(value) and self._complete(execution, heading, completed)

    def _start(self, execution: PlainExecution, heading: Heading, started: StepStartedLens) -> bool:
        step_id = started.step_id
        if (
            started.attempt != 1
            or started.iteration != 1
            or started.references is not None
            or started.item_index is not None
            or started.item_count is not None
            or step_id in execution.steps
            or len(step_id) > SHORT_CHARS
            or _NUL in step_id
            or _NUL in started.step_name
            or _NUL in started.step_type
        ):
            return False
        step = OpenStep(heading, started)
        execution.steps[step_id] = step
        self.held_bytes += len(step.input)
        return True

    def _complete(
        self, execution: PlainExecution, heading: Heading, completed: StepCompletedLens
    ) -> bool:
        step_id = completed.step_id
        step = execution.steps.get(step_id)
        if (
            step is None
            or completed.attempt != 1
            or completed.iteration != 1
            or completed.references is not None
            or completed.error != NULL
        ):
            return False
        self._add_row(execution.key, step, heading, completed)
        execution.steps[step_id] = None
        self.held_bytes -= len(step.input)
        return True

    def _add_row(
        self, key: bytes, step: OpenStep, heading: Heading, completed: StepCompletedLens
    ) -> None:
        # All that may go wrong comes before the first field.
        took_ms = _duration(completed.duration_ms, step, heading)
        output = bytes(completed.output)
        started_us, completed_us = microseconds(step.time), microseconds(heading.time)
        rows = self.rows
        rows.row(FIELDS)
        rows.text(key)
        rows.text(step.step_id)
        rows.integer(1)  # Iteration.
        rows.bigint(step.seq)
        rows.bigint(started_us)  # When it was opened, which is when it started.
        rows.text(step.input)
        rows.text(output)
        rows.null()  # Error.
        rows.null()  # Child.
        rows.null()  # Count of items.
        rows.null()  # Index of an item.
        rows.text(step.name)
        rows.text(step.type)
        rows.text(_COMPLETED_STATUS)
        rows.bigint(started_us)
        rows.bigint(completed_us)
        rows.integer(1)  # Attempt.
        rows.integer(0)  # Retries.
        rows.null()  # Error message.
        rows.number(took_ms)
        rows.null()  # Question.


def _is_utf8(value: bytes) -> bool:
    return value.isascii() or value.decode() != ""


def _duration(told_ms: float, step: OpenStep, heading: Heading) -> float:
    # A number that has three decimals is found out without the way over text that rounding takes.
    if 0.0 < told_ms < 1e12:
        thousandths: i64 = i64(told_ms * 1000.0 + 0.5)
        if float(thousandths) / 1000.0 == told_ms:
            return told_ms
    took_ms = duration(told_ms, step.time, heading.time)
    assert took_ms is not None
    return took_ms


def _visit(execution_id: str, step_id: str, step: OpenStep) -> Visit:
    return Visit(
        execution_id,
        step_id,
        1,
        step.seq,
        step.time,
        step.name.decode(),
        step.type.decode(),
        STEP_RUNNING,
        step.time,
        input_data=step.input.decode(),
    )
