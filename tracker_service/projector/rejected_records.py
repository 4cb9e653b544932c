"""Records that can't be folded or stored though nothing foresaw it: set aside, one at a time."""

from collections.abc import Sequence
from dataclasses import dataclass

import structlog

from tracker_service.projections.batch_fold import BatchFold, States
from tracker_service.projections.event_structs import reason_text
from tracker_service.projections.record_header import Heading, Unreadable
from tracker_service.projections.row_changes import Changes, SetAside
from tracker_service.store.errors import RowsRejected, StoreError

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class WithoutBytes:
    """Stands for a record of which nothing can be stored but where it is."""

    offset: int
    key: None = None
    value: None = None
    headers: tuple[()] = ()


def folded(fold: BatchFold, headings: Sequence[Heading | Unreadable]) -> Changes:
    """Return what a fold makes of records.

    Raises:
        RowsRejected: it fails in a way that nobody foresaw.
    """
    try:
        return fold.take_all(headings)
    except Exception as error:
        # Not foreseen. As with a value the database refuses, the record at fault is found by
        # halving and set aside, and all others are applied.
        log.exception("a fold failed")
        raise RowsRejected(f"The event can't be folded: {error!r}.") from error


def rejected_changes(
    heading: Heading | Unreadable, states: States, quarantined: set[str], error: StoreError
) -> Changes:
    """Return what sets aside the one record at fault, and marks its execution."""
    execution_id = heading.execution_id
    changes = Changes()
    parked = execution_id is not None and execution_id in quarantined
    changes.set_aside.append(
        SetAside(
            heading.offset, execution_id, heading.seq, parked, "rejected", reason_text(str(error))
        )
    )
    state = states.get(execution_id) if execution_id is not None else None
    if state is not None and not state.ended:
        state.incomplete = True
        changes.executions[state.execution_id] = state
    if execution_id is not None:
        quarantined.add(execution_id)
    return changes
