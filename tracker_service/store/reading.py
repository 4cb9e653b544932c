"""The reading side of a read model: rows as dicts in the order of `contracts.records`.

JSON columns come as `msgspec.Raw`: the text as the executor wrote it, never parsed on the way.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, Protocol

from tracker_service.freshness import Freshness

if TYPE_CHECKING:
    from tracker_service.store.past import PastRows

Row = dict[str, Any]

MAX_PAGE_ROWS: Final = 500
DEFAULT_PAGE_ROWS: Final = 50
# An execution's steps are one page; beyond this a caller pages by seq.
MAX_STEP_ROWS: Final = 10_000


@dataclass(frozen=True, slots=True)
class ExecutionFilter:
    """Which executions a list shows, newest first; `after` is the last one of the page before."""

    limit: int = DEFAULT_PAGE_ROWS
    status: str | None = None
    pipeline_id: str | None = None
    after: tuple[datetime, str] | None = None


@dataclass(frozen=True, slots=True)
class CommandOutcome:
    """What became of a command: `unknown` (not seen yet), `applied` or `refused`."""

    command_id: str
    status: str
    execution_id: str | None = None
    code: str | None = None
    message: str | None = None


class ReadModel(Protocol):
    """Questions to the rows. Every method may raise `StoreUnavailable`."""

    async def open(self) -> None:
        """Connect; refuse a schema that this code can't read."""

    async def close(self) -> None:
        """Let go of all connections."""

    async def freshness(self, topic: str) -> Freshness:
        """Return how far each partition is applied."""

    async def executions(self, wanted: ExecutionFilter) -> Sequence[Row]:
        """Return executions, newest first."""

    async def execution(self, execution_id: str) -> Row | None:
        """Return one execution."""

    async def steps(
        self, execution_id: str, *, after_seq: int = 0, limit: int = MAX_STEP_ROWS
    ) -> Sequence[Row]:
        """Return an execution's visits in the order they began."""

    async def interactions(
        self, *, execution_id: str | None = None, pending_only: bool = True, limit: int = 100
    ) -> Sequence[Row]:
        """Return questions to people, oldest first."""

    async def command(self, command_id: str) -> CommandOutcome:
        """Return what became of a command."""

    async def statistics(self) -> Row:
        """Return counts by status and the mean duration of completed executions."""

    async def pruned_before(self) -> datetime | None:
        """Return the time before which ended executions may have been pruned, None if never."""

    @property
    def past(self) -> "PastRows":
        """Questions about how the rows stood at a moment."""

    async def dead_letter_count(self) -> int:
        """Return how many poison records are unresolved."""
