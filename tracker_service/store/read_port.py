"""The reading side of a read model: rows as dicts in the order of `steplog_contracts.records`.

JSON columns come as `msgspec.Raw`: the text as the executor wrote it, never parsed on the way.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

from tracker_service.store.dead_letters import Letter
from tracker_service.store.freshness import Freshness
from tracker_service.store.queries import (
    MAX_STEP_ROWS,
    Changed,
    CommandOutcome,
    Counts,
    Drift,
    ExecutionFilter,
    Page,
    Row,
    Statistics,
    StoredValue,
    Window,
)
from tracker_service.store.sql.as_of import PastRows
from tracker_service.store.sql.items import ItemRows


class ReadModel(Protocol):
    """Questions to the rows. Every method may raise `StoreUnavailable`."""

    async def open(self) -> None:
        """Connect; refuse a schema that this code can't read."""

    async def close(self) -> None:
        """Let go of all connections."""

    async def freshness(self, topic: str) -> Freshness:
        """Return how far each partition is applied."""

    async def page(self, wanted: ExecutionFilter) -> Page:
        """Return a page of executions in the order asked for; see `Page` for its bounds."""

    async def executions(self, wanted: ExecutionFilter) -> Sequence[Row]:
        """Return the rows of a page."""

    async def counts(self, wanted: ExecutionFilter) -> Counts:
        """Return executions by status under the same filters, each counted up to a bound."""

    async def tally(self, pipeline_id: str | None) -> Mapping[str, int]:
        """Return executions by status, all of them counted; takes as long as there are rows."""

    async def execution(self, execution_id: str) -> Row | None:
        """Return one execution."""

    async def steps(
        self, execution_id: str, *, after_seq: int = 0, limit: int = MAX_STEP_ROWS
    ) -> Sequence[Row]:
        """Return an execution's visits to steps in the order they began; items are apart."""

    async def bars(self, execution_id: str) -> Sequence[Row]:
        """Return the same visits without their payloads."""

    async def attempts(self, execution_id: str) -> Sequence[Row]:
        """Return failed attempts that were followed by another, in order."""

    async def status_changes(self, execution_id: str) -> Sequence[Row]:
        """Return changes of status between beginning and end, in order."""

    async def compensations(self, execution_id: str) -> Sequence[Row]:
        """Return the steps that were undone, in order."""

    async def relatives(self, execution_id: str) -> Sequence[Row]:
        """Return executions that were forked, retried or begun from this one, oldest first."""

    async def definition(self, definition_hash: str) -> bytes | None:
        """Return the JSON text of a pipeline definition."""

    async def definition_hashes(self) -> Sequence[str]:
        """Return the hashes of all definitions in the rows."""

    async def pipelines(self) -> Sequence[Row]:
        """Return pipelines whose definitions are known, by name."""

    async def interactions(
        self, *, execution_id: str | None = None, pending_only: bool = True, limit: int = 100
    ) -> Sequence[Row]:
        """Return questions to people, oldest first."""

    async def interaction(self, interaction_id: str) -> Row | None:
        """Return one question to a person."""

    async def command(self, command_id: str) -> CommandOutcome:
        """Return what became of a command."""

    async def stored_payload(self, execution_id: str, sha256: str) -> StoredValue | None:
        """Return where a value that records of the execution refer to is, or None."""

    async def refusals(self, execution_id: str) -> Sequence[Row]:
        """Return the commands about an execution that were refused, the newest first."""

    async def statistics(self) -> Row:
        """Return counts by status and the mean duration of completed executions."""

    async def pipeline_statistics(self, window: Window) -> Statistics:
        """Return rate, failures and durations by pipeline and bucket of time."""

    async def step_statistics(self, window: Window) -> Statistics:
        """Return visits, failures, retries and durations by step."""

    async def changed(self, since: Mapping[int, int], until: Mapping[int, int]) -> Changed:
        """Return executions with an event applied at or after `since`, by partition."""

    async def executions_by_id(self, execution_ids: Sequence[str]) -> Sequence[Row]:
        """Return those of the executions that have rows, in no order."""

    @property
    def items(self) -> ItemRows:
        """Questions about the items of maps."""

    @property
    def past(self) -> PastRows:
        """Questions about how the rows stood at a moment."""

    async def pruned_before(self) -> datetime | None:
        """Return the time before which ended executions may have been pruned, None if never."""

    async def rebuild(self) -> Row | None:
        """Return how far a rebuild has come, None where none is under way or can be seen."""

    async def dead_letter_count(self) -> int:
        """Return how many poison records are unresolved."""

    async def drift(self, topic: str) -> Drift:
        """Return what the check of rows against the log has found."""

    async def dead_letters(self, *, unresolved: bool, limit: int) -> Sequence[Letter]:
        """Return dead letters without their bytes, oldest first."""

    async def dead_letter(self, letter_id: int) -> Letter:
        """Return one dead letter with its bytes; raises `NoSuchLetter`."""
