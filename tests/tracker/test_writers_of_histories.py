"""A history takes only events of its own kind of writer: executors' or a program's."""

import pytest

from steplog_contracts import events
from steplog_contracts.envelope import Record
from steplog_contracts.epoch import EpochRule, goes_on
from steplog_contracts.payload import sha256_of
from tests.tracker.histories import History, Log, claim, refused
from tracker_service.projections.as_of import as_it_stood
from tracker_service.projections.batch_fold import BatchFold
from tracker_service.projections.record_header import read_heading

DEFINITION = {"name": "P", "secrets": ["password"], "steps": []}
HASH = sha256_of(DEFINITION)


def folded(records: list[Record]) -> BatchFold:
    """Fold records of a partition from its beginning."""
    fold = BatchFold(0, {}, set(), EpochRule())
    fold.take_all(read_heading(entry) for entry in Log().append(records))
    return fold


def forged(history: History, event: events.Event) -> Record:
    """The next event of a history as a program without a claim writes it."""
    return History(history.execution_id, time=history.time).at(history.seq + 1, event)


@pytest.mark.parametrize(
    ("begun", "epoch", "taken"),
    [(True, 7, True), (True, None, False), (False, None, True), (False, 7, False)],
)
def test_a_history_takes_what_its_beginning_was(
    begun: bool, epoch: int | None, taken: bool
) -> None:
    assert goes_on(begun, epoch) is taken
    assert goes_on(None, epoch)


def test_a_forged_end_changes_nothing() -> None:
    history = History("e-1", epoch=0)
    begun, (started, completed) = history.started(), history.step()
    false = forged(history, events.ExecutionCompleted(output={"forged": True}))

    fold = folded([claim(), begun, started, false, completed, history.completed({"real": True})])

    state = fold.states["e-1"]
    assert (state.status, state.output_data) == ("completed", '{"real":true}')
    assert (fold.changes.counts.stale, fold.changes.counts.after_end) == (1, 0)
    assert fold.changes.set_aside == []


def test_a_forged_answer_leaves_the_question_open() -> None:
    history = History("e-1", epoch=0)
    asked = events.StepWaiting(step_id="a", interaction_id="i-1")
    records = [claim(), history.started(), history.record(asked)]
    answer = events.StepResumed(step_id="a", interaction_id="i-1", responded_by="the-boss")

    fold = folded([*records, forged(history, answer)])

    assert fold.changes.answers == []
    assert fold.states["e-1"].status == "waiting_for_human"


def test_an_executor_s_event_does_not_go_on_with_a_program_s_own_history() -> None:
    own = History("e-1")
    begun = own.started()
    executor_s = History("e-1", epoch=0, time=own.time).at(2, events.ExecutionCompleted())

    fold = folded([claim(), begun, executor_s, *own.step()])

    assert fold.changes.counts.stale == 1
    assert fold.states["e-1"].completed_steps == 1


def test_a_history_goes_on_under_the_next_owner_s_epoch() -> None:
    history = History("e-1", epoch=0)
    records = [claim(), history.started(), claim(owner="y")]
    history.epoch = 2

    fold = folded([*records, *history.step()])

    assert fold.states["e-1"].completed_steps == 1


def test_a_definition_under_a_foreign_hash_is_set_aside() -> None:
    """The text under a hash is kept once, and says what is masked in executions to come."""
    bare = {"name": "P", "steps": []}
    false = History("e-1").started(definition=bare, definition_hash=HASH)
    real = History("e-2").started(definition=DEFINITION, definition_hash=HASH)

    fold = folded([false, real])

    assert [letter.code for letter in fold.changes.set_aside] == ["wrong_hash"]
    assert "password" in fold.changes.definitions[HASH].definition


def test_a_definition_s_hash_is_that_of_its_compact_text() -> None:
    record = History("e-1").started(definition=DEFINITION, definition_hash=HASH)
    spaced = (record.value or b"").replace(b'"name":"P"', b'"name": "P"')

    fold = folded([record._replace(value=spaced)])

    assert list(fold.changes.definitions) == [HASH]


@pytest.mark.parametrize("definition", [b"[]", b"1", b'"x"', b"[" * 100_000 + b"]" * 100_000])
def test_a_definition_that_is_no_object_is_set_aside(definition: bytes) -> None:
    value = b'{"pipeline_id":"p","pipeline_name":"P","definition":%s}' % definition

    fold = folded([History("e-1").started()._replace(value=value)])

    assert len(fold.changes.set_aside) == 1
    assert fold.changes.definitions == {}


def test_a_forged_refusal_is_none_where_an_executor_is_at_work() -> None:
    fold = folded([refused("c-1"), claim(), refused("c-2")])

    assert list(fold.changes.refused_commands) == ["c-1"]
    assert fold.changes.counts.stale == 1


def test_the_past_agrees() -> None:
    history = History("e-1", epoch=0)
    begun = history.started()
    false = forged(history, events.ExecutionCompleted())
    entries = Log().append([begun, *history.step(), false])

    stood = as_it_stood(
        "e-1",
        0,
        [read_heading(entry) for entry in entries],
        lambda _heading: True,
        applied_seq=3,
        incomplete=False,
    )

    assert stood is not None
    assert stood.state.status == "running"
