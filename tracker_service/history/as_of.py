"""One execution as it stood: from the log where that is at hand, else from the rows.

The log tells everything, also the place in the history (`at_seq`). The rows tell status, counts,
steps and questions at a moment, but not which try was under way while one waited, and no `seq`.
"""

from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from steplog_contracts.errors import sentence_for_callers
from tracker_service.log.events_log import EventsLog, LogRemoved, LogUnreachable
from tracker_service.log.execution_records import Stretch, stretch_of
from tracker_service.projections.as_of import as_it_stood
from tracker_service.projections.errors import TrackerError
from tracker_service.projections.record_header import Heading, Unreadable
from tracker_service.store.fold_records import execution_record, interaction_records, step_records
from tracker_service.store.queries import Row
from tracker_service.store.sql.as_of import PastRows

# Events of one execution folded for an answer; its payloads are in memory meanwhile.
MAX_FOLDED_EVENTS: Final = 50_000
_FROM_ROWS: Final = (
    "Told from the rows: the try of a step that waited for its next one counts as begun, and the "
    "place in the history (seq, position) is not known."
)


class NotThereYet(TrackerError):
    """The execution had not begun, or its history has no such place."""


class OnlyFromLog(TrackerError):
    """The rows can't tell this and the log can't be read for it."""


@dataclass(frozen=True, slots=True)
class When:
    """A moment (`at`), or a place in one execution's history (`at_seq`)."""

    at: datetime | None = None
    at_seq: int | None = None

    def covers(self, heading: Heading | Unreadable) -> bool:
        """Whether an event had been recorded by then; one without a readable time had."""
        if self.at is not None and isinstance(heading, Heading) and heading.time > self.at:
            return False
        return self.at_seq is None or heading.seq <= self.at_seq


@dataclass(frozen=True, slots=True)
class StoodThen:
    """An execution with its steps and questions as they stood; `told_from` is `log` or `rows`."""

    execution: Row
    steps: Sequence[Row]
    interactions: Sequence[Row]
    told_from: str
    note: str | None = None


async def stood(log: EventsLog | None, rows: PastRows, row: Row, when: When) -> StoodThen:
    """Return how the execution of a row stood.

    Raises:
        NotThereYet: it had not begun by then, or has fewer events.
        OnlyFromLog: the log is needed and can't be read.
    """
    reason = "this process does not read the log."
    if log is not None:
        try:
            return await _from_log(log, row, when)
        except (LogRemoved, LogUnreachable, OnlyFromLog) as error:
            reason = sentence_for_callers(error)
    if when.at is None:
        raise OnlyFromLog(f"A place in the history is known to the log alone: {reason}")
    return await _from_rows(rows, row, when.at, f"{_FROM_ROWS} Why not from the log: {reason}")


async def _from_log(log: EventsLog, row: Row, when: When) -> StoodThen:
    execution_id: str = row["execution_id"]
    stretch = stretch_of(row, await log.bounds())
    headings = await _headings(log, stretch, execution_id, when)
    found = as_it_stood(
        execution_id,
        stretch.partition,
        headings,
        when.covers,
        applied_seq=row["seq"],
        incomplete=row["incomplete"],
    )
    if found is None:
        raise _not_begun(row)
    if when.at_seq is not None and found.state.seq < when.at_seq:
        raise NotThereYet(
            f"Execution {execution_id} has {found.state.seq} events; there is none with the "
            f"number {when.at_seq}."
        )
    return StoodThen(
        execution_record(found.state, found.changes),
        step_records(found.changes),
        interaction_records(found.changes),
        "log",
    )


async def _headings(
    log: EventsLog, stretch: Stretch, execution_id: str, when: When
) -> list[Heading | Unreadable]:
    headings: list[Heading | Unreadable] = []
    async with aclosing(stretch.records(log, execution_id)) as found:
        async for recorded in found:
            if recorded.stale:
                continue
            if len(headings) == MAX_FOLDED_EVENTS:
                break
            headings.append(recorded.heading)
    if not stretch.finished and (not headings or when.covers(headings[-1])):
        raise OnlyFromLog(
            f"Execution {execution_id} has more than {MAX_FOLDED_EVENTS} events, or stretches over "
            f"more than {stretch.max_records} records of its partition."
        )
    return headings


async def _from_rows(rows: PastRows, row: Row, at: datetime, note: str) -> StoodThen:
    execution_id: str = row["execution_id"]
    found = await rows.execution(execution_id, at)
    if found is None:
        raise _not_begun(row)
    return StoodThen(
        found,
        await rows.steps(execution_id, at),
        await rows.interactions(execution_id, at),
        "rows",
        note,
    )


def _not_begun(row: Row) -> NotThereYet:
    return NotThereYet(
        f"Execution {row['execution_id']} had not begun then; it began at "
        f"{row['started_at'].isoformat(timespec='microseconds')}."
    )
