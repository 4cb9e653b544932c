"""An execution as it stood: its history folded anew, up to a moment or to a place in it.

The rows say how far the history was applied (`applied_seq`), and so what became of records that
can't be folded: before that place a person skipped them, behind it they are set aside, and with
them everything that follows.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from steplog_contracts.epoch import EpochRule
from tracker_service.projections.batch_fold import BatchFold
from tracker_service.projections.errors import Unfoldable
from tracker_service.projections.record_header import Heading, Unreadable
from tracker_service.projections.row_changes import Changes
from tracker_service.projections.state import ExecutionState

Headings = Iterable[Heading | Unreadable]


@dataclass(frozen=True, slots=True)
class Stood:
    """An execution's state at a moment, and everything its events up to then had brought."""

    state: ExecutionState
    changes: Changes


def as_it_stood(
    execution_id: str,
    partition: int,
    headings: Headings,
    within: Callable[[Heading | Unreadable], bool],
    *,
    applied_seq: int,
    incomplete: bool,
) -> Stood | None:
    """Fold the history as far as `within` says; None if it had not begun.

    `headings` are the execution's records that readers take, in the order of the log. The fold ends
    at the first that is not within: times of one history never go back.
    """
    fold = BatchFold(partition, {}, set(), EpochRule())
    for heading in _in_order(headings):
        if incomplete and heading.seq > applied_seq:
            break  # Set aside, or parked behind what is.
        if not within(heading) or not _folded(fold, execution_id, heading, applied_seq):
            break
    state = fold.states.get(execution_id)
    if state is None:
        return None
    state.incomplete = incomplete
    return Stood(state, fold.changes)


def _in_order(headings: Headings) -> list[Heading | Unreadable]:
    """Return each event of the history once: the first record of it, by seq."""
    first: dict[int, Heading | Unreadable] = {}
    for heading in headings:
        if heading.seq > 0:
            first.setdefault(heading.seq, heading)
    return [first[seq] for seq in sorted(first)]


def _folded(
    fold: BatchFold, execution_id: str, heading: Heading | Unreadable, applied_seq: int
) -> bool:
    """Fold one event; False where it is set aside and the history stands still."""
    state = fold.states.get(execution_id)
    was_applied = heading.seq <= applied_seq
    if state is not None and was_applied and heading.seq > state.seq + 1:
        state.seq = heading.seq - 1  # What is missing in between was given up.
    try:
        if isinstance(heading, Unreadable):
            raise Unfoldable(heading.code, heading.reason)
        fold.apply(state, heading)
    except Unfoldable:
        if state is None or not was_applied:
            return False
        state.seq = max(state.seq, heading.seq)
    return True
