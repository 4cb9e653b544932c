"""A rebuild's building and mending without broker and database, and the rows it must make.

The oracle folds the whole log in one go and never lets go of anything: no spilling, no Bloom
filter, nothing deferred. (That fold itself is judged by another oracle, in `tracker_oracle`.)
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from steplog_contracts.epoch import EpochRule
from tests.tracker.compiled.copied import copied_rows
from tests.tracker.histories import LogEntry
from tracker_service.compiled.pg_copy_writer import CopyRows
from tracker_service.projections.batch_fold import BatchFold, States
from tracker_service.projections.record_header import read_heading
from tracker_service.projections.row_changes import Changes, SetAside
from tracker_service.projections.state import ExecutionState, Visit
from tracker_service.rebuild.bloom_filter import SeenExecutions
from tracker_service.rebuild.deferred_outcome import DeferredRecord, mend
from tracker_service.rebuild.log_reader import Span
from tracker_service.rebuild.partition_fold import Deferred, PartitionBuild
from tracker_service.store.dead_letters import OPEN, PARKED
from tracker_service.store.sql.tables import EXECUTIONS, VISITS

Row = tuple[Any, ...]


@dataclass
class Made:
    """Rows by table and key, and where records stay set aside."""

    executions: dict[str, Row] = field(default_factory=dict)
    visits: dict[tuple[Any, ...], Row] = field(default_factory=dict)
    letters: set[int] = field(default_factory=set)

    def add(self, states: Sequence[ExecutionState], visits: Sequence[Visit]) -> None:
        """Take rows; a row that comes a second time replaces the first."""
        self.executions.update({s.execution_id: tuple(EXECUTIONS.row(s)) for s in states})
        self.add_rows(tuple(VISITS.row(visit)) for visit in visits)

    def add_rows(self, visits: Iterable[Row]) -> None:
        """Take rows of visits."""
        self.visits.update({row[:3]: row for row in visits})


@dataclass
class Kept:
    """A sink in memory; `twice` are rows that came although they were final."""

    made: Made = field(default_factory=Made)
    states: dict[str, ExecutionState] = field(default_factory=dict)
    spilled: dict[str, ExecutionState] = field(default_factory=dict)
    deferred: list[Deferred] = field(default_factory=list)
    twice: list[str] = field(default_factory=list)

    async def add(self, executions: Sequence[ExecutionState], visits: Sequence[Visit]) -> None:
        """Keep rows, and states as a look at the rows would tell them."""
        self.twice += [s.execution_id for s in executions if s.execution_id in self.states]
        self.states.update({state.execution_id: state for state in executions})
        self.made.add(executions, visits)

    async def add_copied(self, visits: CopyRows) -> None:
        """Keep rows."""
        self.made.add_rows(copied_rows(visits))

    async def sides(self, changes: Changes) -> None:
        """Pass over: what hangs on executions is written as live workers write it."""

    async def defer(self, records: Sequence[Deferred]) -> None:
        """Keep records."""
        self.deferred += records

    async def spill(self, states: Sequence[ExecutionState]) -> None:
        """Keep states."""
        self.spilled.update({state.execution_id: state for state in states})

    async def recall(self, execution_ids: Sequence[str]) -> list[ExecutionState]:
        """Give back those asked for."""
        return [self.spilled.pop(name) for name in execution_ids if name in self.spilled]

    async def recall_some(self) -> list[ExecutionState]:
        """Give back one."""
        return [self.spilled.popitem()[1]] if self.spilled else []


def expected(entries: Sequence[LogEntry]) -> tuple[Made, list[SetAside]]:
    """Return the rows of one clean pass, and what it sets aside."""
    states: States = {}
    fold = BatchFold(0, states, set(), EpochRule())
    changes = fold.take_all(map(read_heading, entries))
    made = Made(letters={letter.offset for letter in changes.set_aside})
    made.add(list(states.values()), list(changes.visits.values()))
    return made, changes.set_aside


async def rebuilt(
    entries: Sequence[LogEntry],
    aside: Sequence[SetAside],
    *,
    run: int,
    max_open: int,
    bits: int,
    short_way: bool = False,
) -> tuple[Made, list[str]]:
    """Return the rows a rebuild makes in runs of so many records, and which came twice."""
    sink = Kept()
    codes = {letter.offset: letter.code for letter in aside}
    span = Span("t", 0, 0, len(entries))
    build = PartitionBuild(
        span,
        sink,
        letters=codes,
        max_open=max_open,
        seen=SeenExecutions(bits),
        short_way=short_way,
    )
    for start in range(0, len(entries), run):
        await build.take(entries[start : start + run])
    await build.finish()
    await sink.add_copied(build.plain.rows)
    _mend(sink, {(0, s.offset): (PARKED if s.parked else OPEN, s.code) for s in aside})
    return sink.made, sink.twice


def _mend(sink: Kept, decisions: dict[tuple[int, int], tuple[str, str]]) -> None:
    by_execution: dict[str | None, list[DeferredRecord]] = {}
    for offset, name, epoch, raw in sorted(sink.deferred, key=lambda one: one[0]):
        by_execution.setdefault(name, []).append(DeferredRecord(0, offset, epoch, raw))
    for name, records in by_execution.items():
        if name is None:
            sink.made.letters |= {record.offset for record in records}
            continue
        judged = mend(records, sink.states.get(name), decisions, BatchFold)
        sink.made.letters |= {letter.offset for letter in judged.letters}
        sink.made.add(
            list(judged.changes.executions.values()), list(judged.changes.visits.values())
        )
