"""What the projector needs of a read model: positions, states, and one atomic step forward."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from tracker_service.projections.row_changes import Changes
from tracker_service.projections.state import ExecutionState
from tracker_service.store.pruning import Retention


@dataclass(frozen=True, slots=True)
class Position:
    """How far one partition is applied.

    `generation` grows when rows were changed behind the live worker's back (a dead letter was
    retried, rows were replaced), so that what the worker remembers of them is dropped.
    """

    next_offset: int = 0
    epoch: int | None = None
    generation: int = 0
    # A digest of the record before `next_offset`; None where it is not known.
    last_record: str | None = None
    # Why nothing may be applied: the log lost what the rows were made from.
    lost: str | None = None


@dataclass(frozen=True, slots=True)
class RawRecord:
    """A record as the broker gave it, byte for byte."""

    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...]  # Kafka allows a header without a value.


@dataclass(frozen=True, slots=True)
class Advance:
    """One step forward of a partition: from a position to the next, with what changes on the way.

    `raw` holds, by offset, the records that `changes` sets aside. `end_offset` is the newest end of
    the partition known when the batch was fetched.
    """

    topic: str
    partition: int
    before: Position
    next_offset: int
    epoch: int | None
    last_event_at: datetime | None
    changes: Changes
    raw: dict[int, RawRecord] = field(default_factory=dict)
    end_offset: int | None = None
    last_record: str | None = None


@dataclass(frozen=True, slots=True)
class Loaded:
    """States as the rows tell them, and which executions have something set aside."""

    states: dict[str, ExecutionState]
    quarantined: set[str]


class Positions(Protocol):
    """How far partitions are applied, and what their log was found to have lost."""

    async def positions(self, topic: str, partitions: list[int]) -> dict[int, Position]:
        """Return the position of each partition, 0 for one never applied."""

    async def known_partitions(self, topic: str) -> int:
        """Return how many partitions of the topic have a position."""

    async def note_lost(
        self, topic: str, reasons: Mapping[int, str], ends: Mapping[int, int]
    ) -> None:
        """Let nothing be applied to partitions any more, and say why; where they end now."""

    async def clear_lost(self, topic: str, partitions: Sequence[int]) -> None:
        """Let partitions be applied again: their log is whole after all."""


class Store(Positions, Retention, Protocol):
    """The writing side of a read model. Every method may raise the errors of `store.errors`."""

    async def open(self) -> None:
        """Connect, bring the schema up to date, or refuse with a sentence."""

    async def close(self) -> None:
        """Let go of all connections."""

    async def topics(self) -> list[str]:
        """Return the topics that have a position: what the rows are made from."""

    async def load(self, execution_ids: list[str]) -> Loaded:
        """Return the states of those executions that have rows."""

    async def advance(self, step: Advance) -> bool:
        """Write rows, dead letters and position in one transaction.

        False means that the position is not (any more) where the step begins, or that its log lost
        records; nothing was written.
        """

    async def observe_ends(self, topic: str, ends: dict[int, int]) -> dict[int, int]:
        """Note the end offset of each partition, as seen just now; return its next offset."""
