"""What can be asked of the rows and what comes back; plain values, no database."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from steplog_contracts.data_ref import DataRef

Row = dict[str, Any]

MAX_PAGE_ROWS: Final = 500
DEFAULT_PAGE_ROWS: Final = 50
# Filters no index serves (text of an error, metadata, waiting, ...) look at so many rows a page.
SCAN_ROWS: Final = 10_000
# Each status is counted up to here; beyond it the number is a lower bound.
COUNT_ROWS: Final = 10_000
# Statistics look at the newest so many ended executions of their window.
STATISTICS_ROWS: Final = 20_000
STEP_STATISTICS_ROWS: Final = 2_000
# Executions told of in one look at the changes; beyond it a listener is told to read anew.
CHANGED_ROWS: Final = 500
# An execution's steps are one page; beyond this a caller pages by seq.
MAX_STEP_ROWS: Final = 10_000
MAX_RELATIVES: Final = 500
MAX_QUESTION_ROWS: Final = 1_000


class Sort(StrEnum):
    """What a list is ordered by; the last two show only executions that have ended."""

    STARTED_AT = "started_at"
    COMPLETED_AT = "completed_at"
    DURATION = "duration"


@dataclass(frozen=True, slots=True)
class ExecutionFilter:
    """Which executions a list shows and in which order; `after` is where the page before ended.

    Times are from `started_from` up to but not `started_before`; durations are milliseconds, both
    ends included. `statuses` none: all. `metadata` names keys and the text each must have.
    `error_not_of` are hashes of definitions.
    """

    limit: int = DEFAULT_PAGE_ROWS
    statuses: tuple[str, ...] = ()
    pipeline_id: str | None = None
    after: tuple[datetime | float, str] | None = None
    started_from: datetime | None = None
    started_before: datetime | None = None
    min_duration_ms: float | None = None
    max_duration_ms: float | None = None
    error_text: str | None = None
    # Whose errors are not looked through: what such a search finds would tell what is masked.
    error_not_of: tuple[str, ...] = ()
    metadata: tuple[tuple[str, str], ...] = ()
    waiting: bool | None = None
    sort: Sort = Sort.STARTED_AT
    descending: bool = True
    brief: bool = False  # Without input, output, parameters and error details.

    @property
    def only_by_pipeline(self) -> bool:
        """Whether nothing but the pipeline narrows it, so that a tally answers it too."""
        return self == ExecutionFilter(
            limit=self.limit,
            pipeline_id=self.pipeline_id,
            sort=self.sort,
            descending=self.descending,
            brief=self.brief,
            after=self.after,
        )


@dataclass(frozen=True, slots=True)
class Page:
    """Rows, and where the next page begins if there may be more.

    Where a filter is not served by an index, a page ends after `SCAN_ROWS` rows looked at: it may
    be short, even empty, and still have a next one.
    """

    rows: Sequence[Row]
    following: tuple[datetime | float, str] | None = None


@dataclass(frozen=True, slots=True)
class Counts:
    """Executions by status; those in `at_least` are lower bounds."""

    by_status: Mapping[str, int]
    at_least: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Window:
    """A stretch of time by the end of executions, cut into buckets of equal length."""

    since: datetime
    until: datetime
    bucket_s: int
    pipeline_id: str | None = None


@dataclass(frozen=True, slots=True)
class Statistics:
    """Figures by group; `complete` unless the window has more than were looked at."""

    rows: Sequence[Row]
    looked_at: int
    complete: bool


@dataclass(frozen=True, slots=True)
class Changed:
    """Executions that changed; not `complete` if there were more than can be told."""

    rows: Sequence[Row] = field(default_factory=tuple)
    complete: bool = True


@dataclass(frozen=True, slots=True)
class StoredValue:
    """A value in the payload store, and where records of one execution have it."""

    reference: DataRef
    places: tuple[str, ...]  # JSON pointers into records.

    @classmethod
    def of(cls, rows: Sequence[Row]) -> "StoredValue | None":
        """Return what rows of one value say, or None if there are none."""
        if not rows:
            return None
        fields = {name: value for name, value in rows[0].items() if name != "pointer"}
        return cls(DataRef(**fields), tuple(sorted(row["pointer"] for row in rows)))


@dataclass(frozen=True, slots=True)
class CommandOutcome:
    """What became of a command: `unknown` (not seen yet), `applied` or `refused`."""

    command_id: str
    status: str
    execution_id: str | None = None
    code: str | None = None
    message: str | None = None


@dataclass(frozen=True, slots=True)
class PastFilter:
    """Which executions that had begun by a moment a list shows, newest first.

    `status` is how they stood at that moment; `after` is where the page before ended.
    """

    at: datetime
    limit: int = DEFAULT_PAGE_ROWS
    status: str | None = None
    pipeline_id: str | None = None
    after: tuple[datetime, str] | None = None


@dataclass(frozen=True, slots=True)
class PastPage:
    """Rows, and where the next page begins; a page by status may be short and still have one."""

    rows: Sequence[Row]
    following: tuple[datetime, str] | None


@dataclass(frozen=True, slots=True)
class Drift:
    """Totals of one log's check: `drifted_rows` counts rows that differ from the log right now."""

    checked_at: datetime | None = None
    checked: int = 0
    drifted_executions: int = 0
    drifted_rows: int = 0
    last_execution_id: str | None = None
