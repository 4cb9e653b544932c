"""Plain steps come to the same rows and states as by the fold, and all else is left to it."""

from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steplog_contracts import events
from steplog_contracts.envelope import Record
from steplog_contracts.epoch import EpochRule
from tests.tracker.compiled.copied import copied_rows
from tests.tracker.histories import AN_ERROR, BEGINNING, History, Log
from tracker_service.compiled.fast_step_fold import FIELDS, PlainSteps
from tracker_service.projections.batch_fold import BatchFold, States
from tracker_service.projections.record_header import Heading, Unreadable, read_heading
from tracker_service.projections.state import FINAL_STEP_STATUSES, ExecutionState
from tracker_service.store.sql.tables import VISITS

Row = tuple[Any, ...]


@dataclass
class Both:
    """One history folded both ways, event by event."""

    states: States = field(default_factory=dict)
    plain: PlainSteps = field(default_factory=PlainSteps)
    left_at: int | None = None  # Seq of the first event that was not plain.

    def fold(self, records: list[Record]) -> tuple[list[Row], ExecutionState]:
        """Return the rows of ended visits and the state, with as much as can be the short way."""
        fold = BatchFold(0, self.states, set(), EpochRule())
        for heading in headings_of(records):
            state = self.states.get(heading.execution_id or "")
            if self.plain.take(heading, fold.epoch.current):
                continue
            if state is None:
                fold.take(heading)
                self.plain.begin(self.states[heading.execution_id or ""])
                continue
            self.left_at = self.left_at or heading.seq
            self.plain.leave(state)
            fold.take(heading)
        (state,) = self.states.values()
        self.plain.leave(state)
        visits = [v for v in fold.changes.visits.values() if v.status in FINAL_STEP_STATUSES]
        return sorted([*copied_rows(self.plain.rows), *map(row, visits)]), state


def headings_of(records: list[Record]) -> list[Heading | Unreadable]:
    return [read_heading(entry) for entry in Log().append(records)]


def begun(started: Heading | Unreadable, epoch: int | None = None) -> PlainSteps:
    """Return plain steps that know one execution, from its first event."""
    states, plain = States(), PlainSteps()
    BatchFold(0, states, set(), EpochRule(epoch)).take(started)
    plain.begin(states[started.execution_id or ""])
    return plain


def row(visit: Any) -> Row:
    return tuple(VISITS.row(visit))


def folded(records: list[Record]) -> tuple[list[Row], ExecutionState]:
    """Return the rows of ended visits and the state by the fold alone."""
    states: States = {}
    changes = BatchFold(0, states, set(), EpochRule()).take_all(headings_of(records))
    visits = [v for v in changes.visits.values() if v.status in FINAL_STEP_STATUSES]
    (state,) = states.values()
    return sorted(map(row, visits)), state


TEXT = st.text(max_size=6) | st.sampled_from(["a\x00b", "ü", "", "\ud800"])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=5,
)
DURATIONS = st.floats(0, 1e15) | st.integers(0, 10**7).map(lambda n: n / 1000)


@given(TEXT.filter(lambda t: "\ud800" not in t), TEXT.map(lambda t: t.replace("\ud800", "")), JSON)
def test_any_value_comes_to_the_row_that_the_fold_makes(step: str, name: str, value: Any) -> None:
    history = History()
    records = [
        history.started(),
        history.record(events.StepStarted(step_id=step or "a", step_name=name, input=value)),
        history.record(events.StepCompleted(step_id=step or "a", output=value)),
    ]

    assert Both().fold(records) == folded(records)


@given(DURATIONS)
def test_any_duration_is_rounded_as_the_fold_rounds_it(duration_ms: float) -> None:
    history = History()
    records = [history.started(), *history.step(duration_ms=duration_ms)]

    both = Both()

    assert both.fold(records) == folded(records)
    assert both.left_at is None


def test_whole_histories_are_plain_but_for_their_ends() -> None:
    both, records = Both(), History().whole(steps=3)

    rows, _ = both.fold(records)

    assert rows == folded(records)[0]
    assert (both.left_at, len(rows[0])) == (len(records), FIELDS)


PLACE: dict[str, Any] = {"step_id": "a"}
ODD_EVENTS = {
    "second attempt": events.StepStarted(**PLACE, attempt=2),
    "second iteration": events.StepStarted(**PLACE, iteration=2),
    "begun twice": events.StepStarted(**PLACE, step_name="B"),
    "fallback": events.StepCompleted(**PLACE, output=1, error=AN_ERROR),
    "completed at a later attempt": events.StepCompleted(**PLACE, attempt=3),
    "another step": events.StepCompleted(step_id="b"),
    "failed": events.StepFailed(**PLACE, error=AN_ERROR),
    "waiting": events.StepWaiting(**PLACE, interaction_id="q"),
    "scheduled": events.StepScheduled(**PLACE, due_at=BEGINNING),
    "failed attempt": events.StepAttemptFailed(**PLACE, error=AN_ERROR, retry_at=BEGINNING),
}


@pytest.mark.parametrize("odd", ODD_EVENTS.values(), ids=list(ODD_EVENTS))
def test_what_is_not_plain_is_left_and_the_history_goes_on_alike(odd: events.Event) -> None:
    history = History()
    records = [history.started(), *history.step("z"), history.record(events.StepStarted(**PLACE))]
    records += [history.record(odd), *history.step("c"), history.completed()]

    both = Both()

    assert both.fold(records) == folded(records)
    assert both.left_at == 5


def test_an_event_that_a_command_caused_is_left() -> None:
    history, both = History(), Both()
    records = [history.started(), history.record(events.StepStarted(**PLACE), cause="c-1")]

    assert both.fold(records) == folded(records)
    assert both.left_at == 2


def test_an_event_that_is_not_the_next_or_of_a_former_owner_is_left() -> None:
    history = History(epoch=5)
    first, started, completed = headings_of([history.started(), *history.step()])
    plain = begun(first, epoch=5)

    assert not plain.take(completed, 5)
    assert not plain.take(started, 6)
    assert plain.take(started, 5)
    assert not plain.take(started, 5)


@pytest.mark.parametrize(
    "value",
    [b"{", b'{"step_id": "a", "attempt": "1"}', b'{"step_id":"a","x":"\xff"}', b"[" * 100_000],
    ids=["broken", "number as text", "not UTF-8", "deep"],
)
def test_a_payload_that_is_hard_to_read_is_left(value: bytes) -> None:
    history = History()
    good = history.record(events.StepStarted(**PLACE))
    first, odd = headings_of([History().started(), good._replace(value=value)])
    plain = begun(first)
    odd.seq = 2

    assert not plain.take(odd, None)
    assert plain.held_bytes == 0


def test_inputs_are_counted_as_long_as_they_are_held() -> None:
    history = History()
    first, started, completed = headings_of([history.started(), *history.step()])
    plain = begun(first)

    held = []
    for heading in (started, completed):
        assert plain.take(heading, None)
        held.append(plain.held_bytes)

    assert held == [len('{"n":1}'), 0]
