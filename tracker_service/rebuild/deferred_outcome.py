"""Deferred records, judged with the rows at hand and people's decisions about dead letters.

What a person skipped in the live rows is skipped again, what was applied by a retry is applied,
what is still set aside stays so. A letter that the live rows don't know stops the rebuild.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from steplog_contracts.epoch import EpochRule
from tracker_service.projections.batch_fold import FoldFactory
from tracker_service.projections.record_header import Heading, Unreadable, read_heading
from tracker_service.projections.row_changes import Changes, SetAside
from tracker_service.projections.state import ExecutionState
from tracker_service.store.dead_letters import OPEN, PARKED, SKIPPED
from tracker_service.store.write_port import RawRecord

# Of live letters, by partition and offset: status and code.
Decisions = Mapping[tuple[int, int], tuple[str, str]]
_UNRESOLVED = frozenset({OPEN, PARKED})


@dataclass(frozen=True, slots=True)
class DeferredRecord:
    """A record put off, with the epoch that was in force when it was read."""

    partition: int
    offset: int
    epoch: int | None
    raw: RawRecord

    @property
    def key(self) -> bytes | None:
        """The record's key."""
        return self.raw.key

    @property
    def value(self) -> bytes | None:
        """The record's value."""
        return self.raw.value

    @property
    def headers(self) -> Sequence[tuple[str, bytes | None]]:
        """The record's headers."""
        return self.raw.headers


@dataclass(slots=True)
class Judged:
    """What an execution's deferred records change, and which of them stay set aside."""

    changes: Changes = field(default_factory=Changes)
    letters: list[SetAside] = field(default_factory=list)


class _Mending:
    """One execution; a new one for each."""

    def __init__(
        self,
        records: Sequence[DeferredRecord],
        state: ExecutionState | None,
        decisions: Decisions,
        make_fold: FoldFactory,
    ) -> None:
        self._records = {record.offset: record for record in records}
        self._decisions = decisions
        self._states = {} if state is None else {state.execution_id: state}
        self._quarantined: set[str] = set()
        self._partition = records[0].partition
        self._fold = make_fold(self._partition, self._states, self._quarantined, EpochRule())
        self._maimed = False
        self._ended_before = state if state is not None and state.ended else None
        self.judged = Judged(self._fold.changes)

    def run(self) -> Judged:
        """Fold in the order of the log; then what was set aside, by its place in the history."""
        for record in self._records.values():
            if self._live(record.offset)[1] == "rejected":
                self._keep(read_heading(record), record, "rejected")
            else:
                self._take(record)
        aside, self.judged.changes.set_aside = self.judged.changes.set_aside, []
        if aside:
            self._decide(sorted(aside, key=self._place))
        return self.judged

    def _live(self, offset: int) -> tuple[str, str]:
        return self._decisions.get((self._partition, offset), ("", ""))

    def _place(self, letter: SetAside) -> tuple[bool, int, int]:
        return (letter.seq == 0 and letter.parked, letter.seq, letter.offset)

    def _take(self, record: DeferredRecord) -> None:
        self._fold.epoch = EpochRule(record.epoch)
        self._fold.take(read_heading(record))

    def _keep(self, heading: Heading | Unreadable, record: DeferredRecord, code: str) -> None:
        execution_id = heading.execution_id
        parked = execution_id in self._quarantined
        self.judged.changes.set_aside.append(
            SetAside(
                heading.offset,
                execution_id,
                heading.seq,
                parked,
                code,
                "Refused by the database.",
                record.epoch,
            )
        )
        if execution_id is not None:
            self._quarantined.add(execution_id)

    def _decide(self, aside: Sequence[SetAside]) -> None:
        stuck = False
        for letter in aside:
            status, code = self._live(letter.offset)
            if status in _UNRESOLVED or stuck:
                self.judged.letters.append(letter)
            elif status == SKIPPED:
                self._skip(letter, code)
            else:
                # What stands behind one that still can't be applied waits with it.
                stuck = not self._try(letter)
        for state in self._states.values():
            if state is self._ended_before:
                continue
            # What is set aside after an end leaves nothing out.
            set_aside = bool(self.judged.letters) and not state.ended
            state.incomplete = self._maimed or set_aside
            self.judged.changes.executions[state.execution_id] = state

    def _skip(self, letter: SetAside, code: str) -> None:
        self._maimed = True
        state = next(iter(self._states.values()), None)
        if state is None or state.ended:
            return
        if code == "hole":
            state.seq = letter.seq - 1
            self._try(letter)
        elif letter.seq == state.seq + 1:
            state.seq = letter.seq

    def _try(self, letter: SetAside) -> bool:
        """Return whether what was set aside is applied now."""
        if self._maimed and not self._states:
            return True  # Its beginning was skipped: all of it was.
        self._quarantined.clear()
        self._take(self._records[letter.offset])
        changes = self.judged.changes
        refused, changes.set_aside = changes.set_aside, []
        self.judged.letters += refused
        return not refused


def mend(
    records: Sequence[DeferredRecord],
    state: ExecutionState | None,
    decisions: Decisions,
    make_fold: FoldFactory,
) -> Judged:
    """Judge an execution's deferred records, given in the order of the log, onto its state."""
    return _Mending(records, state, decisions, make_fold).run()
