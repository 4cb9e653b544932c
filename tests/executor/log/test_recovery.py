"""A new owner learns from the tail exactly what its predecessors recorded."""

import pytest

from executor_service.log.recovery import PartitionFold, RecoveredPartition
from executor_service.ports.event_log import LoggedRecord
from steplog_contracts.encoder import ExecutionEncoder
from steplog_contracts.envelope import NO_SEQ
from steplog_contracts.events import (
    CommandRefused,
    Event,
    ExecutionCompleted,
    ExecutionStarted,
    PartitionClaimed,
    StepResumed,
    StepStarted,
    StepWaiting,
)
from steplog_contracts.payload import JsonObject, sha256_of

TIME = b"2026-01-01T00:00:00.000000+00:00"
STARTED = ExecutionStarted(pipeline_id="p", pipeline_name="P", command_id="c-1")
DONE = ExecutionCompleted(output=1)
CLAIM = PartitionClaimed(partition=0, owner="x")
Line = tuple[str, int, Event, int | None]


def folded(*lines: Line, start: int = 0, epoch: int | None = None) -> RecoveredPartition:
    """Fold (execution, seq, event, epoch) lines whose offsets begin at `start`."""
    fold = PartitionFold(epoch)
    for offset, (execution_id, seq, event, writer_epoch) in enumerate(lines, start):
        encoder = ExecutionEncoder(execution_id, source="/t", writer_epoch=writer_epoch)
        cause = "c-1" if isinstance(event, ExecutionStarted) else None
        record = encoder.encode(event, seq=seq, time=TIME, causation_id=cause)
        fold.feed(LoggedRecord(offset, record.value, record.headers))
    return fold.recovered


def test_an_execution_without_an_end_is_to_be_gone_on_with() -> None:
    recovered = folded(
        ("p/0", NO_SEQ, CLAIM, None),
        ("e-1", 1, STARTED, 0),
        ("e-2", 1, STARTED, 0),
        ("e-1", 2, DONE, 0),
    )

    assert [execution.execution_id for execution in recovered.unfinished()] == ["e-2"]


def test_a_former_owners_late_event_is_not_part_of_the_history() -> None:
    recovered = folded(
        ("p/0", NO_SEQ, CLAIM, None),
        ("e-1", 1, STARTED, 0),
        ("p/0", NO_SEQ, CLAIM, None),
        ("e-1", 2, DONE, 0),
    )

    assert [len(execution.facts) for execution in recovered.unfinished()] == [1]
    assert recovered.claims == [0, 2]


def test_a_repeated_event_counts_once() -> None:
    recovered = folded(("p/0", NO_SEQ, CLAIM, None), ("e-1", 1, STARTED, 0), ("e-1", 1, STARTED, 0))

    assert len(recovered.executions["e-1"].facts) == 1


def test_events_of_an_execution_begun_before_the_mark_are_passed_over() -> None:
    recovered = folded(("e-9", 7, StepStarted(step_id="a"), 3), start=50, epoch=3)

    assert recovered.executions == {}


def test_an_execution_with_an_event_missing_is_held_and_not_rewritten() -> None:
    recovered = folded(
        ("p/0", NO_SEQ, CLAIM, None),
        ("e-1", 1, STARTED, 0),
        ("e-1", 3, StepStarted(step_id="a"), 0),
    )

    assert recovered.executions["e-1"].broken


def test_commands_that_led_to_something_are_known_by_their_first_event() -> None:
    refused = CommandRefused(command_id="c-2", command_type="t", code="x", message="No.")
    recovered = folded(
        ("p/0", NO_SEQ, CLAIM, None), ("e-1", 1, STARTED, 0), ("e-2", NO_SEQ, refused, 0)
    )

    assert recovered.handled_commands == {"c-1": 1, "c-2": 2}


def test_a_forged_end_does_not_end_an_executor_s_execution() -> None:
    recovered = folded(("p/0", NO_SEQ, CLAIM, None), ("e-1", 1, STARTED, 0), ("e-1", 2, DONE, None))
    gone_on_with = folded(
        ("p/0", NO_SEQ, CLAIM, None),
        ("e-1", 1, STARTED, 0),
        ("e-1", 2, DONE, None),
        ("e-1", 2, StepStarted(step_id="a"), 0),
    )

    [open_] = recovered.unfinished()
    assert ([fact.event for fact in open_.facts], open_.broken) == ([STARTED], False)
    assert len(gone_on_with.executions["e-1"].facts) == 2


def test_a_forged_answer_leaves_the_question_open() -> None:
    asked = StepWaiting(step_id="a", interaction_id="i-1")
    answer = StepResumed(step_id="a", interaction_id="i-1", responded_by="the-boss")

    recovered = folded(
        ("p/0", NO_SEQ, CLAIM, None),
        ("e-1", 1, STARTED, 0),
        ("e-1", 2, asked, 0),
        ("e-1", 3, answer, None),
    )

    assert [fact.event for fact in recovered.executions["e-1"].facts] == [STARTED, asked]


@pytest.mark.parametrize("epoch", [0, None])
def test_a_definition_under_a_foreign_hash_is_not_run(epoch: int | None) -> None:
    definition: JsonObject = {"name": "P", "steps": []}
    own = STARTED.model_copy(
        update={"definition": definition, "definition_hash": sha256_of(definition)}
    )
    false = own.model_copy(update={"definition": {**definition, "secrets": ["password"]}})

    recovered = folded(
        ("p/0", NO_SEQ, CLAIM, None), ("e-1", 1, false, epoch), ("e-2", 1, own, epoch)
    )

    broken = {name: found.broken for name, found in recovered.executions.items()}
    assert broken == {"e-1": True, "e-2": False}
    assert {found.foreign for found in recovered.executions.values()} == {epoch is None}


def test_a_forged_refusal_leaves_its_command_to_be_carried_out() -> None:
    refused = CommandRefused(command_id="c-2", command_type="t", code="x", message="No.")

    recovered = folded(("p/0", NO_SEQ, CLAIM, None), ("e-2", NO_SEQ, refused, None))

    assert recovered.handled_commands == {}


def test_what_nobody_can_read_is_counted_and_stops_nothing() -> None:
    fold = PartitionFold(None)
    fold.feed(LoggedRecord(0, b"\xff garbage", []))
    fold.feed(LoggedRecord(1, None, []))

    assert fold.recovered.unreadable == 2


def test_an_event_with_a_broken_payload_holds_its_execution_and_no_other() -> None:
    fold = PartitionFold(None)
    for offset, (execution_id, seq, value) in enumerate(
        [("e-1", 1, None), ("e-2", 1, None), ("e-1", 2, b"{garbage")]
    ):
        encoder = ExecutionEncoder(execution_id, source="/t")
        record = encoder.encode(STARTED if seq == 1 else DONE, seq=seq, time=TIME)
        fold.feed(LoggedRecord(offset, value or record.value, record.headers))
    unbroken = {e.execution_id: e.broken for e in fold.recovered.executions.values()}

    assert unbroken == {"e-1": True, "e-2": False}


def test_what_has_ended_is_not_decoded_unless_somebody_wants_it() -> None:
    """A tail is mostly ended executions; their ids are known, their events cost nothing."""
    lines = [("e-1", 1, STARTED), ("e-1", 2, DONE), ("e-2", 1, STARTED)]
    fold = PartitionFold(None, keep_ended=False)
    for offset, (execution_id, seq, event) in enumerate(lines):
        record = ExecutionEncoder(execution_id, source="/t").encode(event, seq=seq, time=TIME)
        fold.feed(LoggedRecord(offset, record.value, record.headers))
    executions = fold.recovered.executions

    assert executions["e-1"].ended
    assert executions["e-1"].facts == []
    assert [fact.event for fact in executions["e-2"].facts] == [STARTED]
