"""The judge of chaos finds what may not be in a log: it is judged by logs that have it."""

from steplog_contracts import events
from steplog_contracts.codec import decode_event
from steplog_contracts.envelope import RecordedEvent
from tests.e2e.chaos_flow import judge_children, judge_items, judge_undoing
from tests.e2e.chaos_steps import MAP, UNDOES
from tests.tracker.histories import History

KINDS = {"e-1": MAP, "e-2": UNDOES}


def log(execution_id: str, *of: events.Event) -> dict[str, list[RecordedEvent]]:
    """Return a history of an execution, as it is read."""
    records = map(History(execution_id).record, of)
    return {execution_id: [decode_event(one.value, one.headers) for one in records]}


def test_a_visit_that_began_two_children_is_found() -> None:
    begun = [
        events.StepChildStarted(step_id="b", child_execution_id=child) for child in ("c-1", "c-2")
    ]

    assert judge_children(log("e-1", *begun)) == ["e-1/b/1"]
    assert judge_children(log("e-1", begun[0])) == []


def test_an_item_that_ended_twice_and_a_map_without_its_items_are_found() -> None:
    end = events.StepCompleted(step_id="b[0]", item_index=0, output=0)

    assert judge_items(log("e-1", end, end), KINDS) == (["items of e-1"], ["e-1/0"])


def test_steps_that_are_undone_in_another_order_are_found() -> None:
    undone = [events.StepCompensated(step_id=step) for step in UNDOES.undone]

    assert judge_undoing(log("e-2", *undone), KINDS) == []
    assert judge_undoing(log("e-2", *reversed(undone)), KINDS) == ["e-2"]
