"""What becomes of executions and visits, event by event; no database."""

from datetime import timedelta

from steplog_contracts import events
from steplog_contracts.envelope import Record
from steplog_contracts.epoch import EpochRule
from tests.tracker.histories import AN_ERROR, BEGINNING, History, Log
from tracker_service.projections.batch_fold import BatchFold
from tracker_service.projections.record_header import read_heading
from tracker_service.projections.row_changes import Changes
from tracker_service.projections.state import ExecutionState


def folded(records: list[Record], execution_id: str = "e-1") -> tuple[ExecutionState, Changes]:
    """Return the state of an execution after records, and all that changed."""
    log = Log()
    fold = BatchFold(0, {}, set(), EpochRule())
    changes = fold.take_all([read_heading(entry) for entry in log.append(records)])
    return fold.states[execution_id], changes


def waiting(step_id: str) -> events.StepWaiting:
    """A step asks a person."""
    return events.StepWaiting(step_id=step_id, interaction_id=f"i-{step_id}")


def begun(step_id: str, iteration: int = 1) -> events.StepStarted:
    """A step begins."""
    return events.StepStarted(step_id=step_id, iteration=iteration)


def test_an_execution_waits_once_a_step_waits_and_none_runs() -> None:
    history = History()
    records = [history.started(total_steps=2)]
    records += [history.record(begun("a")), history.record(begun("b"))]
    records += [history.record(waiting("a"))]
    one_runs, _ = folded(records)
    records += [history.record(events.StepCompleted(step_id="b"))]
    none_runs, _ = folded(records)

    assert one_runs.status == "running"
    assert none_runs.status == "waiting_for_human"


def test_a_step_in_backoff_or_scheduled_counts_as_running() -> None:
    history = History()
    records = [history.started(), history.record(begun("a")), history.record(waiting("a"))]
    retry_at = BEGINNING + timedelta(seconds=9)
    failed = events.StepAttemptFailed(step_id="b", error=AN_ERROR, retry_at=retry_at)
    in_backoff, _ = folded([*records, history.record(begun("b")), history.record(failed)])
    history.seq = 3
    scheduled, _ = folded(
        [*records, history.record(events.StepScheduled(step_id="b", due_at=retry_at))]
    )

    assert in_backoff.status == "running"
    assert scheduled.status == "running"


def test_a_loop_counts_its_step_once() -> None:
    history = History()
    records = [history.started(total_steps=1)]
    for iteration in (1, 2, 3):
        records += history.step("a", iteration)

    state, changes = folded(records)

    assert (state.completed_steps, state.total_steps) == (1, 1)
    assert len(changes.visits) == 3


def test_a_step_counts_by_how_its_newest_visit_ended() -> None:
    """So completed and failed together never exceed the total."""
    history = History()
    failed = events.StepFailed(step_id="a", error=AN_ERROR, continued=True)
    records = [history.started(), history.record(begun("a")), history.record(failed)]
    after_one, _ = folded(records)
    after_two, _ = folded([*records, *history.step("a", 2)])

    assert (after_one.completed_steps, after_one.failed_steps) == (0, 1)
    assert (after_two.completed_steps, after_two.failed_steps) == (1, 0)


def test_the_total_is_never_below_the_steps_seen() -> None:
    """A program that records its own execution may not know how many steps it has."""
    history = History()

    state, _ = folded([history.started(total_steps=0), *history.step("a"), *history.step("b")])

    assert (state.total_steps, state.completed_steps) == (2, 2)


def test_an_ending_closes_what_is_open() -> None:
    """A row never stays running for ever, whatever the writer forgot."""
    history = History()
    records = [history.started(), history.record(begun("a")), history.record(begun("b"))]
    records += [history.record(waiting("b"))]
    records += [history.record(events.ExecutionFailed(error=AN_ERROR))]

    state, changes = folded(records)

    assert {visit.status for visit in changes.visits.values()} == {"cancelled"}
    assert [(answer.interaction_id, answer.status) for answer in changes.answers] == [
        ("i-b", "cancelled")
    ]
    assert (state.status, state.error_message, state.current_step) == ("failed", "bad value", None)


def test_nothing_revives_an_ended_execution_or_visit() -> None:
    history = History()
    records = [history.started(), *history.step("a"), history.record(begun("a"))]
    still_one, _ = folded(records)
    late = [history.completed(), *history.step("b"), history.completed()]
    ended, changes = folded([*records, *late])

    assert not still_one.open_visits
    assert (ended.status, ended.seq) == ("completed", 5)
    assert changes.counts.after_end == 3


def test_a_step_undone_after_the_end_is_noted_beside_its_row() -> None:
    history = History()
    records = [history.started(), *history.step("a")]
    records += [history.record(events.ExecutionFailed(error=AN_ERROR))]
    records += [history.record(events.StepCompensated(step_id="a", duration_ms=2.0))]

    state, changes = folded(records)

    assert [(one.step_id, one.duration_ms) for one in changes.compensations] == [("a", 2.0)]
    assert state.completed_steps == 1


def test_the_definition_is_kept_once_by_its_hash() -> None:
    definition = {"name": "p", "steps": []}
    first, second = History("e-1"), History("e-2")

    _, changes = folded(
        [first.started(definition=definition), second.started(definition=definition)]
    )

    (kept,) = changes.definitions.values()
    assert kept.definition == '{"name":"p","steps":[]}'
    assert {state.beginning.definition_hash for state in changes.executions.values()} == {  # type: ignore[union-attr]
        kept.definition_hash
    }


def test_the_current_step_is_the_one_begun_last_that_still_runs() -> None:
    history = History()
    records = [history.started(), history.record(begun("a")), history.record(begun("b"))]
    two, _ = folded(records)
    one, _ = folded([*records, history.record(events.StepCompleted(step_id="b"))])

    assert two.current_step == "b"
    assert one.current_step == "a"


def test_durations_are_told_or_taken_from_the_two_times() -> None:
    history = History()
    records = [history.started(), history.record(begun("a"))]
    records += [history.record(events.StepCompleted(step_id="a"))]
    records += [history.record(begun("b"))]
    records += [history.record(events.StepCompleted(step_id="b", duration_ms=1.23456))]

    _, changes = folded(records)

    assert changes.visits["e-1", "a", 1].execution_time_ms == 1.0
    assert changes.visits["e-1", "b", 1].execution_time_ms == 1.235


def test_payloads_are_not_remembered_once_written() -> None:
    history = History()
    state, changes = folded([history.started(), history.record(begun("a"))])

    changes.written()

    assert state.beginning is None
    assert state.open_visits["a", 1].input_data is None
