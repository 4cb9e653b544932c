"""What each event of a log may say, given where the execution stands."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from steplog_contracts import events as ev
from steplog_contracts.item_ids import map_of
from tests.verification.flow_oracle import Write
from tests.verification.language_cases import (
    FLAKY_FAILURES,
    LIMIT_S,
    StepCase,
    is_bad,
    item_result,
    items_of,
    result_of,
    total,
)
from tests.verification.language_ends import END_RULES, deadline_of, limit_passed
from tests.verification.language_judge import NOWHERE, Branch, Open, Position, hold
from tests.verification.language_world import Entry

MAX_SILENCES = 3


def _execution_started(at: Position, event: ev.ExecutionStarted, entry: Entry) -> None:
    hold(at.visits == 0 and not at.arrived, "it began twice")
    writes = {key: Write(value, 0, frozenset()) for key, value in event.input.items()}
    at.arrived = [Branch("s0", NOWHERE, writes, frozenset({0}))]


def _scheduled(at: Position, event: ev.StepScheduled, entry: Entry) -> None:
    visit = at.begin(event.step_id, event.iteration)
    step = at.step(event.step_id)
    hold(step.kind == "wait", "only a wait is scheduled", event.step_id)
    hold(event.due_at == entry.time + timedelta(seconds=step.seconds), "it waits for another time")
    visit.status, visit.due = "scheduled", event.due_at


def _started(at: Position, event: ev.StepStarted, entry: Entry) -> None:
    if event.item_index is not None:
        _item_started(at, event, entry)
        return
    _in_time(at, entry)
    visit, step = at.open.get(event.step_id), at.step(event.step_id)
    if visit is None:
        visit = at.begin(event.step_id, event.iteration)
        hold(step.kind != "wait", "it waits before it begins", event.step_id)
    _next_attempt(visit, event, entry)
    if event.attempt > 1:
        return
    at.began = at.began or entry.time
    given = visit.branch.data()
    if step.kind in ("map", "child_map"):
        hold(event.input == {"items": items_of(step)}, "other items", event.input)
        return
    if step.kind == "child" and step.own_input:
        given = {"p": given.get("p", 0), "q": step.add}
    hold(event.input == given, "it is given something else", event.input, given)
    visit.given = event.input


def _in_time(at: Position, entry: Entry) -> None:
    for limit in (at.limit(at.case.timeout), deadline_of(at)):
        hold(limit is None or entry.time <= limit, "a step began after the limit", limit)


def _next_attempt(visit: Open, event: ev.StepStarted, entry: Entry) -> None:
    hold(event.attempt == visit.attempt + 1, "attempts are counted", event.attempt)
    hold(visit.status in ("running", "scheduled", "retrying"), "it has no other attempt now")
    hold(visit.due is None or entry.time >= visit.due, "it began before its time", visit.due)
    visit.attempt, visit.status, visit.due, visit.child = event.attempt, "running", None, None


def _item_started(at: Position, event: ev.StepStarted, entry: Entry) -> None:
    whole = _map_of(at, event)
    step, index = at.step(map_of(event.step_id)), event.item_index
    assert index is not None, "an item"
    item = whole.items_open.get(index)
    if item is None:
        hold(not at.failure and not at.undoing and not at.finishing, "no item begins any more")
        hold(index not in whole.items and index < len(items_of(step)), "that item had its turn")
        hold(len(whole.items_open) < step.at_once, "too many items at once")
        hold(len(whole.items_failed) <= step.tolerated, "too many items had failed")
        item = whole.items_open[index] = Open(whole.branch, whole.iteration, 0)
        given = {"item": items_of(step)[index], "item_index": index}
        if step.kind == "map":
            given["all"] = whole.branch.data().get("p", 0)
        hold(event.input == given, "the item is given something else", event.input, given)
        item.given = given
    _next_attempt(item, event, entry)


def _map_of(at: Position, event: Any) -> Open:
    whole = at.open.get(map_of(event.step_id))
    hold(whole is not None, "its map is not open", event.step_id)
    assert whole is not None, "held"
    hold(event.iteration == whole.iteration, "another visit's item")
    return whole


def _visit(at: Position, event: Any) -> Open:
    """Return the open visit, or item, that an event is of."""
    if event.step_id in at.orphans:
        visit = at.orphans[event.step_id]
    elif event.item_index is not None:
        visit = _map_of(at, event).items_open.get(event.item_index)
    else:
        visit = at.open.get(event.step_id)
    hold(visit is not None, "it is not open", event.step_id)
    assert visit is not None, "held"
    hold(event.iteration == visit.iteration, "another visit", event.step_id)
    return visit


def _step_of(at: Position, event: Any) -> StepCase:
    return at.step(event.step_id if event.item_index is None else map_of(event.step_id))


def _attempt_failed(at: Position, event: ev.StepAttemptFailed, entry: Entry) -> None:
    visit, step = _visit(at, event), _step_of(at, event)
    hold(visit.status == "running" and event.attempt == visit.attempt, "no such attempt")
    if step.trouble == "silent":
        hold(visit.failures + 1 < MAX_SILENCES, "it was silent too often")
    else:
        hold(step.trouble == "flaky" and event.attempt <= FLAKY_FAILURES, "it does not fail")
    hold(event.retry_at > entry.time, "it is tried again at once")
    visit.failures += 1
    visit.status, visit.due = "retrying", event.retry_at


def _progressed(at: Position, event: ev.StepProgressed, entry: Entry) -> None:
    visit = _visit(at, event)
    hold(_step_of(at, event).trouble == "beats" and visit.status == "running", "it said nothing")


def _waiting(at: Position, event: ev.StepWaiting, entry: Entry) -> None:
    visit, step = _visit(at, event), _step_of(at, event)
    hold(step.kind == "human" and visit.status == "running", "it asks nobody")
    expires = entry.time + timedelta(seconds=LIMIT_S) if step.limit else None
    hold(event.expires_at == expires, "it expires at another time", event.expires_at, expires)
    visit.status, visit.due = "waiting", event.expires_at


def _resumed(at: Position, event: ev.StepResumed, entry: Entry) -> None:
    visit, step = _visit(at, event), _step_of(at, event)
    hold(visit.status == "waiting", "nothing was asked")
    if event.timed_out:
        hold(visit.due is not None and entry.time >= visit.due, "it expired before its time")
    else:
        hold(event.human_input == {step.key: step.add}, "another answer")
    visit.status, visit.resumed = "answered", event


def _child_started(at: Position, event: ev.StepChildStarted, entry: Entry) -> None:
    visit, step = _visit(at, event), _step_of(at, event)
    hold(step.kind in ("child", "child_map") and visit.child is None, "it began another child")
    child = at.lives.get(event.child_execution_id)
    hold(child is not None, "nobody asked for the child")
    assert child is not None, "held"
    hold(child.started.input == visit.given, "the child is given something else")
    visit.status, visit.child = "child", event.child_execution_id
    limit = entry.time + timedelta(seconds=LIMIT_S) if step.limit and step.kind == "child" else None
    hold(not step.waits or event.expires_at == limit, "the child may take another time")


def _completed(at: Position, event: ev.StepCompleted, entry: Entry) -> None:
    visit, step = _visit(at, event), _step_of(at, event)
    output = _expected(at, visit, step, event)
    hold(event.output == output, "another result", event.output, output)
    if at.orphans.pop(event.step_id, None):
        return
    if event.item_index is not None:
        whole = _map_of(at, event)
        whole.items[event.item_index] = event.output
        del whole.items_open[event.item_index]
        return
    if at.failure is None and not at.finishing:
        taken = at.ways_on(event.step_id, event.output, failed=False)
        hold(event.taken == taken, "other paths", event.taken, taken)
    if step.undo is not None:
        at.undo.append((event.step_id, event.iteration, visit.given, event.output))
    if isinstance(event.output, dict):
        visit.branch.write(visit.number, event.output)
    visit.branch.past |= {visit.number}
    at.go(event.step_id, event.taken)


def _expected(at: Position, visit: Open, step: StepCase, event: ev.StepCompleted) -> Any:
    """Return what a visit must come to; refuses one that may not complete at all."""
    trouble = "" if step.kind == "map" and event.item_index is None else step.trouble
    hold(trouble not in ("raises", "hangs", "silent"), "it can't complete")
    hold(trouble != "flaky" or event.attempt > FLAKY_FAILURES, "its first attempts fail")
    data = visit.branch.data()
    if event.item_index is not None and step.kind == "map":
        hold(not is_bad(step, visit.given), "that item fails")
        return item_result(step, visit.given)
    match step.kind:
        case "switch":
            return at.ways.chosen(int(event.step_id[1:]), data)
        case "condition":
            return isinstance(data.get(step.key), int) and data[step.key] < step.add
        case "human":
            hold(visit.resumed is not None and not visit.resumed.timed_out, "nobody answered")
        case "set":
            return {step.key: (total(data) + step.add) % 5}
        case "map" | "child_map" if event.item_index is None:
            return _map_result(visit, step, event)
        case "child" | "child_map":
            return _child_result(at, visit, step)
    return result_of(step, visit.given)


def _map_result(visit: Open, step: StepCase, event: ev.StepCompleted) -> list[Any]:
    hold(not visit.items_open, "items are open")
    hold(len(visit.items_failed) <= step.tolerated, "too many items failed")
    count = len(items_of(step))
    hold(set(visit.items) == set(range(count)), "items are missing", sorted(visit.items))
    return [visit.items[index] for index in range(count)]


def _child_result(at: Position, visit: Open, step: StepCase) -> Any:
    hold(visit.child is not None, "no child began")
    if step.kind == "child" and not step.waits:
        return {"execution_id": visit.child}
    end = at.lives[visit.child or ""].entries[-1].event
    hold(isinstance(end, ev.ExecutionCompleted), "the child did not complete", end)
    return end.output


def _failed(at: Position, event: ev.StepFailed, entry: Entry) -> None:
    visit, step = _visit(at, event), _step_of(at, event)
    name = event.error.type.rpartition(".")[2]
    hold(_may_fail(at, visit, step, event, name), "it does not fail like that", name)
    if event.item_index is not None:
        hold(not event.continued, "an item goes nowhere")
        if at.orphans.pop(event.step_id, None):
            return
        whole = _map_of(at, event)
        del whole.items_open[event.item_index]
        whole.items_failed.add(event.item_index)
        whole.items[event.item_index] = {
            "step_error": True, "error_message": event.error.message, "error_type": name,
            "step_name": event.step_id, "item_index": event.item_index,
        }  # fmt: skip
        return
    caught = at.caught(event.step_id, event.error)
    hold(event.continued == (caught is not None or step.continues), "it goes on, or it does not")
    if not event.continued:
        at.leave(event.step_id)
        if at.failure is None and not at.finishing:
            at.failure = event.error
        return
    error = {"type": name, "message": event.error.message, "step_id": event.step_id,
             "attempt": event.error.attempt}  # fmt: skip
    hold(event.output == {"error": error}, "the error stands elsewhere", event.output)
    taken = at.ways_on(event.step_id, event.output, failed=True) if caught is None else (caught,)
    hold(event.taken == taken, "other paths after an error", event.taken, taken)
    if caught is not None and at.ways.keeps_error(int(event.step_id[1:]), caught):
        visit.branch.write(visit.number, {"problem": error})
    visit.branch.past |= {visit.number}
    at.go(event.step_id, event.taken)


def _may_fail(at: Position, visit: Open, step: StepCase, event: ev.StepFailed, name: str) -> bool:
    """Say whether a visit may fail with an error of this name."""
    if step.kind == "map" and event.item_index is not None:
        return name == "ValueError" and (step.trouble == "raises" or is_bad(step, visit.given))
    if step.kind in ("map", "child_map") and event.item_index is None:
        waits = step.continues or bool(step.catches)
        too_many = len(visit.items_failed) > step.tolerated
        return name == "MapItemsFailed" and too_many and not (waits and visit.items_open)
    if step.kind in ("child", "child_map"):
        return _child_failed(at, visit, step, event, name)
    if step.kind == "human":
        return name == "WaitExpired" and visit.resumed is not None and visit.resumed.timed_out
    if step.kind == "fail":
        return name == "Planned"
    expected = {"raises": "ValueError", "hangs": "StepTimedOut", "silent": "StepSilent"}
    return name == expected.get(step.trouble)


def _child_failed(
    at: Position, visit: Open, step: StepCase, event: ev.StepFailed, name: str
) -> bool:
    if name == "ChildRefused":
        return False
    if name == "StepTimedOut" and step.kind == "child" and step.limit:
        return True
    child = at.lives[visit.child or ""]
    end = child.entries[-1].event
    if isinstance(end, ev.ExecutionFailed):
        return event.error.type == end.error.type and event.error.message == end.error.message
    return isinstance(end, ev.ExecutionCancelled) and name == "ChildCancelled"


def _cancelled(at: Position, event: ev.StepCancelled, entry: Entry) -> None:
    _visit(at, event)
    if event.superseded_by == "end_all":
        hold(at.finishing, "nothing has completed everything")
    elif event.superseded_by is not None:
        by = event.superseded_by
        place = event.step_id if event.item_index is None else map_of(event.step_id)
        hold(place in at.open or event.step_id in at.orphans, "it is not open")
        hold(at.may_begin(by) and at.step(by).join is not None, "nobody supersedes it", by)
        hold(
            at.leads((at.open.get(place) or at.orphans[event.step_id]).branch, by),
            "it could not come there",
            by,
        )
    else:
        asked = at.life.cancel is not None
        orphan = event.step_id in at.orphans
        ends = at.failure or at.stopping or asked or orphan
        hold(ends or limit_passed(at, entry), "nobody cancels it")
    if at.orphans.pop(event.step_id, None):
        at.enter_when_stopped()
        return
    if event.item_index is not None:
        del _map_of(at, event).items_open[event.item_index]
        return
    at.stopped(event.step_id, superseded=event.superseded_by is not None)


RULES: dict[type[ev.Event], Callable[[Position, Any, Entry], None]] = {
    **END_RULES,
    ev.ExecutionStarted: _execution_started,
    ev.StepScheduled: _scheduled,
    ev.StepStarted: _started,
    ev.StepAttemptFailed: _attempt_failed,
    ev.StepProgressed: _progressed,
    ev.StepWaiting: _waiting,
    ev.StepResumed: _resumed,
    ev.StepChildStarted: _child_started,
    ev.StepCompleted: _completed,
    ev.StepFailed: _failed,
    ev.StepCancelled: _cancelled,
}
