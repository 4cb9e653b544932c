"""Ways out of quarantine: try again what was set aside, or go on without it.

Both work on all unresolved letters of one execution, in the order of its history, and stop at the
first that is still at fault. `retry` is for a cause that is gone (a newer tracker, a missing event
that arrived after all). `skip` is for one that stays: the event at fault counts as seen without
effect, or, where events are missing before it, those count as lost and it is applied itself; the
row stays marked `incomplete` for good.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from steplog_contracts.epoch import EpochRule
from tracker_service.projections.batch_fold import BatchFold
from tracker_service.projections.errors import TrackerError
from tracker_service.projections.record_header import Heading, Unreadable, read_heading
from tracker_service.projections.state import ExecutionState
from tracker_service.store.dead_letters import (
    APPLIED,
    OPEN,
    PARKED,
    SKIPPED,
    DeadLetters,
    Letter,
    Mended,
)
from tracker_service.store.write_port import Loaded


class NotSkippable(TrackerError):
    """Only the letter at fault can be skipped; those parked behind it follow by themselves."""


@dataclass(frozen=True, slots=True)
class _Stored:
    """A letter's record as the log had it."""

    offset: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes | None]]


async def retry(letters: DeadLetters, letter_id: int) -> Mended:
    """Apply the letter and what is parked behind it, as far as that goes now."""
    return await letters.repair(letter_id, mend_by_retry)


async def skip(letters: DeadLetters, letter_id: int) -> Mended:
    """Go on without the letter, or without what is missing before it.

    Raises:
        NotSkippable: the letter is not the one at fault.
    """
    letter = await letters.letter(letter_id)
    if letter.status != OPEN:
        raise NotSkippable(
            f"Dead letter {letter_id} is {letter.status}; only an open one can be skipped."
        )
    return await letters.repair(letter_id, lambda found, loaded: _skip(letter_id, found, loaded))


def mend_by_retry(letters: Sequence[Letter], loaded: Loaded) -> Mended:
    """Apply letters in the order of their history until one does not fit."""
    mended = Mended()
    # What was skipped once stays missing, however well the rest goes.
    healed = all(letter.status != SKIPPED for letter in letters)
    _apply(_unresolved(letters), loaded, mended, healed=healed)
    return mended


def _skip(letter_id: int, letters: Sequence[Letter], loaded: Loaded) -> Mended:
    mended = Mended()
    skipped = next(letter for letter in letters if letter.id == letter_id)
    state = _state(skipped, loaded)
    behind = [letter for letter in _unresolved(letters) if letter.id != letter_id]
    mended.resolved[letter_id] = SKIPPED
    if state is None and skipped.execution_id is not None:
        # Without its beginning there is nothing the others could change.
        mended.resolved.update((letter.id, SKIPPED) for letter in behind)
        return mended
    if state is not None:
        if skipped.code == "hole":
            state.seq = skipped.seq - 1
            mended.resolved.pop(letter_id)
            behind = [skipped, *behind]
        elif skipped.seq == state.seq + 1:
            state.seq = skipped.seq
        state.incomplete = True
        mended.changes.executions[state.execution_id] = state
    _apply(behind, loaded, mended, healed=False)
    return mended


def _unresolved(letters: Sequence[Letter]) -> list[Letter]:
    return sorted((letter for letter in letters if letter.status in (OPEN, PARKED)), key=_place)


def _apply(letters: Sequence[Letter], loaded: Loaded, mended: Mended, *, healed: bool) -> None:
    changes = mended.changes
    for letter in letters:
        heading = _heading(letter)
        fold = BatchFold(letter.partition, loaded.states, set(), EpochRule(letter.epoch))
        fold.changes = changes
        fold.take(heading)
        if changes.set_aside:
            refused = changes.set_aside.pop()
            mended.stuck = (letter.id, refused.code, refused.reason)
            return
        mended.resolved[letter.id] = APPLIED
    for state in loaded.states.values():
        if healed and state.incomplete:
            state.incomplete = False
            changes.executions[state.execution_id] = state


def _heading(letter: Letter) -> Heading | Unreadable:
    record = letter.record
    assert record is not None, "a repair is given letters with their bytes"
    return read_heading(_Stored(letter.offset, record.key, record.value, record.headers))


def _state(letter: Letter, loaded: Loaded) -> ExecutionState | None:
    return None if letter.execution_id is None else loaded.states.get(letter.execution_id)


def _place(letter: Letter) -> tuple[bool, int, int]:
    # A record whose seq can't be told keeps its place in the log: before what came after it.
    return (letter.seq == 0 and letter.status != OPEN, letter.seq, letter.offset)
