"""What a rebuild is asked for, whom it tells how far it is, and what it answers."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from tracker_service.rebuild.build_worker import LIVE_FOLD
from tracker_service.rebuild.log_reader import Span
from tracker_service.store.postgres.shadow.compare import Difference, Tally
from tracker_service.store.postgres.shadow.schema import SHADOW_SCHEMA

# Rows that differ shown with both their values.
MAX_EXAMPLES = 20
# Executions listed by id where more than these differ.
MAX_LISTED = 1000
DEFAULT_MAX_PAUSE_S = 0.5


@dataclass(frozen=True, slots=True)
class RebuildRequest:
    """One rebuild of everything.

    `schema` holds the new tables until they are swapped in; `swaps` is False for a dry run and for
    tables that stay where they are (`keeps`); `repairs` then replaces the live rows of executions
    that differ. With `since` or `until` only executions that began then are made again and, where
    they differ, replaced. `lenient` sets aside what can't be applied, as the live tracker does.
    `drop_lost`: so many executions may vanish of which a log that lost records has no event left.
    `max_pause_s` bounds how long live writers wait for the swap,
    `max_disk_bytes` what the new tables may take where free space can't be seen from here.
    """

    bootstrap_servers: str
    database_url: str
    topic: str
    schema: str = SHADOW_SCHEMA
    swaps: bool = True
    keeps: bool = False
    repairs: bool = False
    lenient: bool = False
    max_pause_s: float = DEFAULT_MAX_PAUSE_S
    max_disk_bytes: int | None = None
    processes: int | None = None
    fold: str = LIVE_FOLD
    since: datetime | None = None
    until: datetime | None = None
    drop_lost: int | None = None

    @property
    def windowed(self) -> bool:
        """Whether only executions that began in a window are made again."""
        return self.since is not None or self.until is not None


class Watcher(Protocol):
    """Whoever looks on."""

    def stage(self, name: str) -> None:
        """A stage begins: copying, indexing, mending, following, comparing, swapping."""

    def spans(self, spans: Mapping[int, Span], taken_up: bool) -> None:
        """These partitions are to be read; `taken_up` where an earlier rebuild's work goes on."""

    def progress(self, partition: int, next_offset: int, rows: int, /) -> None:
        """A partition is read up to an offset, which made so many rows."""


class Unwatched:
    """A watcher that looks away."""

    def stage(self, name: str) -> None:
        """Pass over."""

    def spans(self, spans: Mapping[int, Span], taken_up: bool) -> None:
        """Pass over."""

    def progress(self, partition: int, next_offset: int, rows: int, /) -> None:
        """Pass over."""


@dataclass(slots=True)
class Report:
    """What a rebuild did and found."""

    events: int = 0
    rows: int = 0
    executions: int = 0
    seconds: dict[str, float] = field(default_factory=dict)
    tally: Tally = field(default_factory=lambda: Tally({}, {}))
    examples: list[Difference] = field(default_factory=list)
    taken_up: bool = False
    swapped: bool = False
    pause_ms: float | None = None
    old_schema: str | None = None
    kept_schema: str | None = None
    live_projection: int | None = None
    differing: list[str] = field(default_factory=list)
    repaired: list[str] = field(default_factory=list)
    # Records set aside here that are no dead letters of the live rows.
    new_letters: int = 0
    lost: dict[int, str] = field(default_factory=dict)  # What the log lost, by partition.
    vanishing: list[str] = field(default_factory=list)  # Executions of which it has no event left.
    left_out: int = 0  # Executions of a window that were written to meanwhile.
