"""What a rebuild is asked for, whom it tells how far it is, and what it answers."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from tracker_service.rebuild.builder import LIVE_FOLD
from tracker_service.rebuild.reader import Span
from tracker_service.store.postgres.shadow.compare import Difference, Tally
from tracker_service.store.postgres.shadow.schema import SHADOW_SCHEMA

# Rows that differ shown with both their values.
MAX_EXAMPLES = 20
DEFAULT_MAX_PAUSE_S = 0.5


@dataclass(frozen=True, slots=True)
class RebuildOrder:
    """One rebuild of everything.

    `schema` holds the new tables until they are swapped in; `swaps` is False for a dry run and for
    tables that stay where they are (`keeps`). `lenient` sets aside what can't be applied, as the
    live tracker does. `max_pause_s` bounds how long live writers wait for the swap,
    `max_disk_bytes` what the new tables may take where free space can't be seen from here.
    """

    bootstrap_servers: str
    database_url: str
    topic: str
    schema: str = SHADOW_SCHEMA
    swaps: bool = True
    keeps: bool = False
    lenient: bool = False
    max_pause_s: float = DEFAULT_MAX_PAUSE_S
    max_disk_bytes: int | None = None
    processes: int | None = None
    fold: str = LIVE_FOLD


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
    seconds: dict[str, float] = field(default_factory=dict)
    tally: Tally = field(default_factory=lambda: Tally({}, {}))
    examples: list[Difference] = field(default_factory=list)
    taken_up: bool = False
    swapped: bool = False
    pause_ms: float | None = None
    old_schema: str | None = None
    kept_schema: str | None = None
    live_projection: int | None = None
