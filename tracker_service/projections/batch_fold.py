"""A run of records of one partition onto the states of their executions.

Each record is judged in this order: can its headers be read; did the partition's owner write it,
and a history's own kind of writer (`steplog_contracts.epoch`); is it of a kind known here; is it
the next of its execution's history. A repeat, a stale record and an unknown kind are counted and
passed over. What can't be read or doesn't fit is set aside and every later record of that
execution is parked behind it; others flow:

    seq <= last      seen before: pass over, count
    seq == last + 1  next: fold
    seq >  last + 1  a hole: set aside, quarantine this execution only
"""

from collections.abc import Callable, Iterable

from steplog_contracts.epoch import EpochRule, goes_on
from tracker_service.projections.errors import Unfoldable
from tracker_service.projections.event_structs import (
    CommandRefusedLens,
    ExecutionCompletedLens,
    Lens,
    column_text,
    reason_text,
)
from tracker_service.projections.execution_fold import advance, begin, fold
from tracker_service.projections.fact import Fact
from tracker_service.projections.payload_decoder import (
    CLAIMED,
    REFUSED,
    is_unknown_kind,
    read_payload,
)
from tracker_service.projections.record_header import Heading, Unreadable
from tracker_service.projections.row_changes import Changes, RefusedCommand, SetAside
from tracker_service.projections.state import ExecutionState
from tracker_service.projections.step_fold import compensate
from tracker_service.projections.undo_structs import StepCompensatedLens

States = dict[str, ExecutionState]
BEHIND = "behind_dead_letter"
_NOTHING = ExecutionCompletedLens()  # Stands in where a payload is not looked at.


class BatchFold:
    """Folds records in offset order; `states` must hold every execution they name that has rows.

    `quarantined` names executions with something set aside, also those that have no row yet.
    """

    def __init__(
        self, partition: int, states: States, quarantined: set[str], epoch: EpochRule
    ) -> None:
        self.partition = partition
        self.states = states
        self.quarantined = quarantined
        self.epoch = epoch
        self.changes = Changes()

    def take_all(self, headings: Iterable[Heading | Unreadable]) -> Changes:
        """Fold all and return what they change."""
        for heading in headings:
            self.take(heading)
        return self.changes

    def take(self, heading: Heading | Unreadable) -> None:
        """Fold one record, or pass over it, or set it aside."""
        if isinstance(heading, Unreadable):
            self._set_aside(heading, heading.code, heading.reason)
            return
        if not self.epoch.admits(heading.offset, heading.kind, heading.epoch):
            self.changes.counts.stale += 1
        elif heading.kind == REFUSED:
            self._refuse(heading)
        elif heading.kind != CLAIMED:
            self._take_event(heading)

    def _take_event(self, heading: Heading) -> None:
        state = self.states.get(heading.execution_id)
        if state is not None and not goes_on(state.under_epoch, heading.epoch):
            self.changes.counts.stale += 1
            return
        if heading.execution_id in self.quarantined:
            reason = f"Execution {heading.execution_id} has an earlier record set aside."
            self._park(heading, reason)
            return
        try:
            self.apply(state, heading)
        except Unfoldable as error:
            self._set_aside(heading, error.code, str(error))

    def apply(self, state: ExecutionState | None, heading: Heading) -> None:
        """Fold one event of a history if it is the next.

        Raises:
            Unfoldable: it is not, or its payload can't be read.
        """
        last = 0 if state is None else state.seq
        if state is not None and state.ended:
            self._after_end(state, heading)
        elif heading.seq <= 0:
            raise Unfoldable("missing_header", "The header ce_sequence is missing.")
        elif heading.seq <= last:
            self.changes.counts.repeats += 1
        elif heading.seq != last + 1:
            raise Unfoldable(
                "hole", f"Event {heading.seq} follows event {last}; those between are missing."
            )
        elif is_unknown_kind(heading.kind):
            self._pass_over(state, heading)
        elif state is None:
            begun = begin(self._fact(heading), self.changes)
            begun.under_epoch = heading.epoch is not None
            self.states[heading.execution_id] = begun
        else:
            fold(state, self._fact(heading), self.changes)

    def _after_end(self, state: ExecutionState, heading: Heading) -> None:
        if heading.seq <= state.seq:
            self.changes.counts.repeats += 1
            return
        self.changes.counts.after_end += 1
        if is_unknown_kind(heading.kind):
            return
        fact = self._fact(heading)
        if isinstance(fact.payload, StepCompensatedLens):
            compensate(state, fact, self.changes)

    def _pass_over(self, state: ExecutionState | None, heading: Heading) -> None:
        self.changes.counts.unknown += 1
        if state is None:
            raise Unfoldable("not_started", f"{heading.kind} can't begin an execution.")
        advance(state, self._bare_fact(heading), self.changes)

    def _refuse(self, heading: Heading) -> None:
        try:
            refused = read_payload(heading)
        except Unfoldable as error:
            # It changes no execution, so none is quarantined for it.
            self.changes.set_aside.append(
                SetAside(
                    heading.offset,
                    None,
                    0,
                    False,
                    error.code,
                    reason_text(str(error)),
                    self.epoch.current,
                )
            )
            return
        if isinstance(refused, CommandRefusedLens):
            command_id = column_text(refused.command_id)
            self.changes.refused_commands[command_id] = RefusedCommand(
                command_id,
                heading.execution_id,
                column_text(refused.command_type),
                column_text(refused.code),
                column_text(refused.message),
                heading.offset,
                heading.time,
            )

    def _set_aside(self, record: Heading | Unreadable, code: str, reason: str) -> None:
        execution_id = record.execution_id
        if execution_id is not None and execution_id in self.quarantined:
            self._park(record, reason)
            return
        self._put_aside(record, parked=False, code=code, reason=reason)
        if execution_id is not None:
            self._quarantine(execution_id)

    def _quarantine(self, execution_id: str) -> None:
        state = self.states.get(execution_id)
        if state is not None:
            if state.ended:
                return  # Nothing of it can change any more.
            state.incomplete = True
            self.changes.executions[execution_id] = state
        self.quarantined.add(execution_id)

    def _park(self, record: Heading | Unreadable, reason: str) -> None:
        self._put_aside(record, parked=True, code=BEHIND, reason=reason)

    def _put_aside(
        self, record: Heading | Unreadable, *, parked: bool, code: str, reason: str
    ) -> None:
        letter = SetAside(
            record.offset,
            record.execution_id,
            record.seq,
            parked,
            code,
            reason_text(reason),
            self.epoch.current,
        )
        self.changes.set_aside.append(letter)

    def _fact(self, heading: Heading) -> Fact:
        return self._bare_fact(heading, read_payload(heading))

    def _bare_fact(self, heading: Heading, payload: Lens = _NOTHING) -> Fact:
        return Fact(
            heading.execution_id,
            self.partition,
            heading.seq,
            heading.offset,
            heading.time,
            heading.causation_id,
            payload,
        )


# How a fold is made for a partition: states, quarantined executions, epoch in force. A port: the
# past can be folded by another one than the live tracker's.
FoldFactory = Callable[[int, States, set[str], EpochRule], BatchFold]
