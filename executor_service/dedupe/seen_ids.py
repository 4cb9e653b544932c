"""Where in the log an id may have been dealt with before: compact, bounded, oldest forgotten first.

One partition's ids of executions begun and of commands carried out, each kept as a digest of 64
bits and the chunk of the events partition where its first event is to be looked for. So the answer
"never seen" costs no I/O and is certain, while any other answer only says from where to read: two
ids may have one digest, and an id may have been put down for an event that never got recorded. The
log tells.

Ids are kept in generations. The oldest is forgotten as a whole once newer ones span the window, or
earlier where there are more ids than the bound allows; that is said in the log.
"""

import hashlib
from array import array
from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import structlog

from steplog_contracts.seen_record import CHUNK_EVENTS, Entry

# An id is remembered for the window and up to a third more; a full memory forgets a quarter.
GENERATIONS = 4
DEFAULT_WINDOW = timedelta(hours=24)
DEFAULT_MAX_IDS = 1_000_000
# Claims are few: one for each time the partition moved.
MAX_CLAIMS = 10_000
_SMALLEST_TABLE = 1_024
_DIGEST_BYTES = 8

_log = structlog.get_logger(__name__)


def execution_digest(execution_id: str) -> int:
    """Return 64 bits that stand for an execution."""
    return _digest(b"e" + execution_id.encode())


def command_digest(command_id: str) -> int:
    """Return 64 bits that stand for a command."""
    return _digest(b"c" + command_id.encode())


def _digest(text: bytes) -> int:
    digest = hashlib.sha1(text, usedforsecurity=False).digest()
    return int.from_bytes(digest[:_DIGEST_BYTES], "little")


def chunk_of(offset: int) -> int:
    """Return the chunk of an events offset; never 0, which means an empty place."""
    return offset // CHUNK_EVENTS + 1


class _Table:
    """An open-addressed hash table in two arrays, 12 bytes a place, half full at most."""

    __slots__ = ("_chunks", "_digests", "_mask", "count")

    def __init__(self, places: int = _SMALLEST_TABLE) -> None:
        self._digests = array("Q", bytes(8 * places))
        self._chunks = array("I", bytes(4 * places))  # 0 is an empty place.
        self._mask = places - 1
        self.count = 0

    def put(self, digest: int, chunk: int) -> None:
        chunks, mask = self._chunks, self._mask
        index = digest & mask
        while chunks[index]:
            index = (index + 1) & mask
        self._digests[index], chunks[index] = digest, chunk
        self.count += 1
        if self.count * 2 > mask:
            self._grow()

    def first_chunk(self, digest: int) -> int:
        """Return the lowest chunk kept for a digest, or 0."""
        digests, chunks, mask = self._digests, self._chunks, self._mask
        index, found = digest & mask, 0
        while chunk := chunks[index]:
            if digests[index] == digest and (not found or chunk < found):
                found = chunk
            index = (index + 1) & mask
        return found

    def _grow(self) -> None:
        grown = _Table(2 * (self._mask + 1))
        for digest, chunk in zip(self._digests, self._chunks, strict=True):
            if chunk:
                grown.put(digest, chunk)
        self._digests, self._chunks, self._mask = grown._digests, grown._chunks, grown._mask


@dataclass(slots=True)
class _Generation:
    """Ids of one stretch of time."""

    began_at: datetime
    saved_from: int  # No id of it is in a record of the seen topic before this offset.
    table: _Table = field(default_factory=_Table)


class SeenIds:
    """The ids of one partition, and which of them are still to be saved."""

    def __init__(
        self,
        now: datetime,
        *,
        window: timedelta = DEFAULT_WINDOW,
        max_ids: int = DEFAULT_MAX_IDS,
    ) -> None:
        self._window = window
        self._max_ids = max_ids
        self._now = now
        self._generations = [_Generation(now, 0)]
        self._newest = self._generations[-1].table
        self._claims: list[int] = []
        self.unsaved: list[Entry] = []
        self.unsaved_floors: list[int] = []  # Of each unsaved id; never falling.
        self.unsaved_claims: list[int] = []
        self.forgotten_early = 0  # Ids that the bound, not the window, made it forget.
        self.records_end = 0  # Of the seen topic, as far as known here.

    def search_offset(self, digest: int) -> int | None:
        """Return the events offset from which an id is to be looked for; None: never seen."""
        for generation in self._generations:
            chunk = generation.table.first_chunk(digest)
            if chunk:
                return (chunk - 1) * CHUNK_EVENTS
        return None

    def put(self, digest: int, floor: int) -> None:
        """Take in an id whose first event stands at `floor` or after it."""
        self._keep(digest, chunk_of(floor))
        self.unsaved.append((digest, chunk_of(floor)))
        self.unsaved_floors.append(floor)

    def absorb(self, entries: Iterable[Entry], time: datetime) -> None:
        """Take in the ids of a saved record."""
        self.age(time)
        for digest, chunk in entries:
            self._keep(digest, chunk)

    def age(self, now: datetime) -> None:
        """Begin a new generation when the newest has had its share of the window."""
        self._now = now
        if now - self._generations[-1].began_at >= self._window / (GENERATIONS - 1):
            self._begin_generation()

    def start_reading(self, record_offset: int) -> None:
        """Know that what follows was saved from this record on."""
        self._generations[0].saved_from = self.records_end = record_offset

    def saved(self, ids: int, claims: int, record_offset: int | None) -> None:
        """Know that the first ids and claims that waited are saved, and where."""
        del self.unsaved[:ids], self.unsaved_floors[:ids], self.unsaved_claims[:claims]
        if record_offset is not None:
            self.records_end = record_offset + 1

    def saved_through(self, next_event_offset: int) -> int:
        """Return the events offset below which every id and claim is saved."""
        waiting = [*self.unsaved_claims, *self.unsaved_floors[:1]]
        return min(waiting, default=next_event_offset)

    def add_claims(self, claims: Iterable[int], *, saved: bool) -> None:
        """Take in where the partition was claimed."""
        new = [claim for claim in claims if claim not in self._claims]
        self._claims = sorted([*self._claims, *new])
        if not saved:
            self.unsaved_claims += new

    def forget_claims(self, start: int) -> None:
        """Forget claims at or behind an offset: those the log has there are to follow."""
        self._claims = self._claims[: bisect_left(self._claims, start)]

    def epoch_at(self, offset: int) -> int | None:
        """Return the epoch in force just before an events offset, as far as it is known."""
        index = bisect_left(self._claims, offset)
        return self._claims[index - 1] if index else None

    @property
    def saved_from(self) -> int:
        """Return the offset of the seen topic from which everything remembered can be read."""
        return self._generations[0].saved_from

    @property
    def count(self) -> int:
        """Return how many ids are remembered."""
        return sum(generation.table.count for generation in self._generations)

    def _keep(self, digest: int, chunk: int) -> None:
        self._newest.put(digest, chunk)
        if self._newest.count >= self._max_ids // GENERATIONS:
            self._begin_generation()

    def _begin_generation(self) -> None:
        """Forget the oldest generation where there are enough, and say so if it is too early."""
        generations = self._generations
        generations.append(_Generation(self._now, self.records_end))
        self._newest = generations[-1].table
        if len(generations) <= GENERATIONS:
            return
        forgotten = generations.pop(0)
        remembered = self._now - generations[0].began_at
        if remembered < self._window:
            self.forgotten_early += forgotten.table.count
            _log.warning(
                "dedupe_window_cut",
                remembered_h=round(remembered.total_seconds() / 3600, 2),
                forgotten_early=self.forgotten_early,
                remedy="raise STEPLOG_DEDUPE_MAX_IDS",
            )
        del self._claims[:-MAX_CLAIMS]
