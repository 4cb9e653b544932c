"""One partition folded from its beginning, its rows handed on when nothing can change them.

Only executions that have not ended are remembered, and of those at most `MAX_OPEN_EXECUTIONS`; the
others wait outside. What would need a look at rows already handed on (an event of an execution that
ended or never began, or one that can't be applied) is deferred with all that follows of that
execution, and judged when the rows can be looked up.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from steplog_contracts.epoch import EpochRule
from tracker_service.compiled.fast_step_fold import PlainSteps
from tracker_service.compiled.pg_copy_writer import CopyRows
from tracker_service.projections.batch_fold import BatchFold, FoldFactory, States
from tracker_service.projections.payload_decoder import CLAIMED, REFUSED
from tracker_service.projections.record_header import Heading, LogRecord, Unreadable, read_heading
from tracker_service.projections.row_changes import Changes
from tracker_service.projections.state import FINAL_STEP_STATUSES, ExecutionState, Visit
from tracker_service.rebuild.bloom_filter import SeenExecutions
from tracker_service.rebuild.errors import RebuildStopped
from tracker_service.rebuild.log_reader import Span
from tracker_service.store.write_port import RawRecord

# Executions under way whose states are in memory, per partition being built.
MAX_OPEN_EXECUTIONS = 20_000
# Characters of payloads they may hold until their rows are written.
MAX_HELD_CHARS = 64 * 1024 * 1024
# So few are not looked at for what they hold.
FEW_EXECUTIONS = 1000

Deferred = tuple[int, str | None, int | None, RawRecord]


@dataclass(frozen=True, slots=True)
class Window:
    """Only executions that began in it are of interest."""

    since: datetime | None = None
    until: datetime | None = None

    def holds(self, time: datetime) -> bool:
        """Whether a time is in the window; `until` is not."""
        return (self.since is None or time >= self.since) and (
            self.until is None or time < self.until
        )


class Sink(Protocol):
    """Where a partition's rows go."""

    async def add(self, executions: Sequence[ExecutionState], visits: Sequence[Visit]) -> None:
        """Take rows that nothing changes any more."""

    async def add_copied(self, visits: CopyRows) -> None:
        """Take such rows of visits as they are written already, now or when there are more."""

    async def sides(self, changes: Changes) -> None:
        """Take what hangs on executions."""

    async def defer(self, records: Sequence[Deferred]) -> None:
        """Keep records to be judged at the end."""

    async def spill(self, states: Sequence[ExecutionState]) -> None:
        """Keep states out of memory."""

    async def recall(self, execution_ids: Sequence[str]) -> list[ExecutionState]:
        """Take back those of the states that were spilled."""

    async def recall_some(self) -> list[ExecutionState]:
        """Take back a page of what is still spilled; nothing once all is back."""


@dataclass
class PartitionBuild:
    """Takes a partition's records in order; `letters` maps offsets of the live tables' dead letters
    to their codes, and a record that can't be applied must be one of them unless `lenient`. With a
    `window` other executions than those that began in it are passed over. On the `short_way` plain
    steps don't go through the fold; what is left of their rows stays in `plain` at the end."""

    span: Span
    sink: Sink
    make_fold: FoldFactory = BatchFold
    letters: Mapping[int, str] = field(default_factory=dict)
    lenient: bool = False
    window: Window | None = None
    max_open: int = MAX_OPEN_EXECUTIONS
    short_way: bool = False
    seen: SeenExecutions = field(default_factory=SeenExecutions)

    def __post_init__(self) -> None:
        self.epoch = EpochRule()
        self.plain = PlainSteps()  # Knows nobody without the short way, and so takes nothing.
        self._states: States = {}
        self._fold = self.make_fold(self.span.partition, self._states, set(), self.epoch)
        self._spilled = 0
        self._deferred_ids: set[str] = set()
        self._deferred: list[tuple[int, str | None, int | None]] = []
        self._definitions: set[str] = set()
        self._refused = {offset for offset, code in self.letters.items() if code == "rejected"}

    async def take(self, run: Sequence[LogRecord]) -> None:
        """Fold a run and hand on what is final.

        Raises:
            RebuildStopped: a record can't be applied.
        """
        headings = [read_heading(record) for record in run]
        if self._spilled:
            await self._recall(headings)
        if self._deferred_ids or self._refused:
            self._fold_with_care(headings)
        else:
            self._fold_all(headings)
        await self._hand_on(run)

    async def finish(self) -> None:
        """Hand on the executions that have not ended, as they stand."""
        await self._add_open(self._states.values())
        while states := await self.sink.recall_some() if self._spilled else []:
            await self._add_open(states)

    def _fold_all(self, headings: list[Heading | Unreadable]) -> None:
        at = 0
        while (at := self.plain.take_from(headings, at, self.epoch.current)) < len(headings):
            self._fold_one(headings[at])
            at += 1

    def _fold_with_care(self, headings: Iterable[Heading | Unreadable]) -> None:
        for heading in headings:
            if heading.offset in self._refused and heading.execution_id is not None:
                self._defer(heading)
            elif heading.execution_id in self._deferred_ids:
                self._take_stranger(heading)
            elif not self.plain.take(heading, self.epoch.current):
                self._fold_one(heading)

    def _fold_one(self, heading: Heading | Unreadable) -> None:
        state = self._states.get(heading.execution_id or "")
        if state is None:
            self._take_stranger(heading)
            return
        self.plain.leave(state)
        self._fold.take(heading)

    def _take_stranger(self, heading: Heading | Unreadable) -> None:
        """Take a record of an execution that is not in memory, or of none."""
        if isinstance(heading, Unreadable):
            if heading.execution_id in self._deferred_ids:
                self._defer(heading)
            else:
                self._fold.take(heading)
        elif heading.kind in (CLAIMED, REFUSED):
            self._fold.take(heading)
        elif not self.epoch.admits(heading.offset, heading.kind, heading.epoch):
            self._fold.changes.counts.stale += 1
        elif heading.execution_id in self._deferred_ids:
            self._defer(heading)
        elif self.window is not None and not (heading.seq == 1 and self.window.holds(heading.time)):
            pass  # It began at another time, so it is not looked at.
        elif heading.seq == 1 and not self.seen.add(heading.execution_id):
            self._begin(heading)
        else:
            self._defer(heading)

    def _begin(self, heading: Heading) -> None:
        self._fold.take(heading)
        state = self._states.get(heading.execution_id)
        if self.short_way and state is not None:
            self.plain.begin(state)

    def _defer(self, heading: Heading | Unreadable) -> None:
        if heading.execution_id is not None:
            self._deferred_ids.add(heading.execution_id)
        self._deferred.append((heading.offset, heading.execution_id, self.epoch.current))

    async def _hand_on(self, run: Sequence[LogRecord]) -> None:
        changes, self._fold.changes = self._fold.changes, Changes()
        if changes.set_aside:
            self._judge(changes)
        ended = [state for state in changes.executions.values() if state.ended]
        for state in ended:
            self._states.pop(state.execution_id, None)
        closed = [v for v in changes.visits.values() if v.status in FINAL_STEP_STATUSES]
        await self.sink.add(ended, closed)
        await self.sink.add_copied(self.plain.rows)
        if not changes.only_rows:
            await self._add_sides(changes)
        if self._deferred:
            await self.sink.defer(self._with_bytes(run))
        if len(self._states) > self.max_open or self._held() > MAX_HELD_CHARS:
            await self._spill()

    def _judge(self, changes: Changes) -> None:
        for letter in changes.set_aside:
            if not (letter.parked or self.lenient or letter.offset in self.letters):
                raise RebuildStopped(
                    f"The event at partition {self.span.partition}, offset {letter.offset} of "
                    f"{self.span.topic} can't be applied: {letter.reason} Nothing has been changed;"
                    " upgrade or mend what wrote it, or set it aside with --set-aside."
                )
            if letter.execution_id is not None:
                self._deferred_ids.add(letter.execution_id)
            self._deferred.append((letter.offset, letter.execution_id, letter.epoch))
        changes.set_aside = []

    async def _add_sides(self, changes: Changes) -> None:
        for key in self._definitions & changes.definitions.keys():
            del changes.definitions[key]
        self._definitions.update(changes.definitions)
        if not changes.only_rows:
            await self.sink.sides(changes)

    def _with_bytes(self, run: Sequence[LogRecord]) -> list[Deferred]:
        first = run[0].offset
        kept = []
        for offset, execution_id, epoch in self._deferred:
            record = run[offset - first]
            raw = RawRecord(record.key, record.value, tuple(record.headers))
            kept.append((offset, execution_id, epoch, raw))
        self._deferred = []
        return kept

    async def _add_open(self, states: Iterable[ExecutionState]) -> None:
        for state in states:
            self.plain.leave(state)
            await self.sink.add([state], list(state.open_visits.values()))

    def _held(self) -> int:
        if len(self._states) < FEW_EXECUTIONS:
            return 0
        return self.plain.held_bytes + sum(map(_size, self._states.values()))

    async def _spill(self) -> None:
        # The longest under way wait the longest for their next event.
        oldest = list(self._states)[: len(self._states) // 2]
        states = [self._states.pop(name) for name in oldest]
        for state in states:
            self.plain.leave(state)
        await self.sink.spill(states)
        self._spilled += len(oldest)

    async def _recall(self, headings: Sequence[Heading | Unreadable]) -> None:
        named = {h.execution_id for h in headings if h.execution_id is not None and h.seq != 1}
        missing = sorted(named - self._states.keys())
        if missing:
            for state in await self.sink.recall(missing):
                self._states[state.execution_id] = state
                self._spilled -= 1


def _size(state: ExecutionState) -> int:
    begun = state.beginning
    own = 0 if begun is None else len(begun.input_data) + len(begun.parameters)
    visits = state.open_visits.values()
    return own + sum(len(v.input_data or "") + len(v.output_data or "") for v in visits)
