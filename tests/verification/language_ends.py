"""What the events of a log may say that end or turn a whole execution, or undo what it did."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from steplog_contracts import events as ev
from tests.verification.language_cases import BOUND
from tests.verification.language_judge import NOWHERE, Branch, Position, hold, joined
from tests.verification.language_world import Entry


def deadline_of(at: Position) -> datetime | None:
    """Return when the deadline passes that an execution has still before it."""
    if at.turned or at.case.deadline is None:
        return None
    return at.limit(at.case.deadline[0])


def limit_passed(at: Position, entry: Entry) -> bool:
    """Say whether a limit in time, or a loop's bound, ends or turns the execution."""
    limits = (at.limit(at.case.timeout), deadline_of(at))
    bound = any(at.may_begin(step) and at.runs.get(step, 0) >= BOUND for step in at.runs)
    return bound or any(limit is not None and entry.time >= limit for limit in limits)


def _deadline_passed(at: Position, event: ev.ExecutionDeadlinePassed, entry: Entry) -> None:
    deadline = at.case.deadline
    hold(deadline is not None and deadline[1] == event.to_step, "it leads elsewhere")
    limit = deadline_of(at)
    hold(limit is not None and entry.time >= limit, "the deadline has not passed", limit)
    hold(not at.failure and not at.finishing, "it had come to its end")
    branches = [*at.arrived, *(visit.branch for visit in at.open.values()), *at.ended]
    one = joined(branches)
    at.arrived, at.ended, at.turned, at.stopping = [], [], True, "deadline"
    at.after_deadline = Branch(event.to_step, NOWHERE, one.writes, one.past, one.without)
    at.enter_when_stopped()


def _compensating(at: Position, event: ev.ExecutionCompensating, entry: Entry) -> None:
    asked = at.life.cancel is not None and at.life.cancel[1] and event.error is None
    fails = at.case.compensates and event.error is not None and _fails(at, event.error, entry)
    hold(at.undo and not at.undoing and (asked or fails), "nothing is to be undone")
    at.undoing, at.stopping, at.arrived = True, "undoing", []
    at.failure = event.error


def _undo_started(at: Position, event: ev.StepCompensationStarted, entry: Entry) -> None:
    hold(at.undoing and not at.open and not at.orphans, "nothing is undone yet")
    place = (event.step_id, event.iteration)
    hold(place == at.undo[-1][:2], "another step is undone first", at.undo[-1][:2])
    hold(event.attempt == at.undo_attempt[0] + 1, "attempts are counted")
    at.undo_attempt = (event.attempt, True)


def _undo_ended(at: Position, event: Any, entry: Entry) -> None:
    hold(at.undo_attempt == (event.attempt, True), "no attempt is open")
    step = at.step(event.step_id)
    if isinstance(event, ev.StepCompensationFailed):
        hold(event.attempt <= (step.undo or 0), "it does not fail")
        at.undo_attempt = (event.attempt, False)
        return
    hold(event.attempt > (step.undo or 0), "it fails")
    name, iteration, given, output = at.undo.pop()
    seen = (name, iteration, given, output)
    hold(seen in at.life.undone, "it was undone with something else", seen)
    at.undo_attempt = (0, False)


def _skipped(at: Position, event: ev.StepSkipped, entry: Entry) -> None:
    hold(event.step_id not in at.runs, "it had run")
    at.runs[event.step_id] = 0


def _execution_completed(at: Position, event: ev.ExecutionCompleted, entry: Entry) -> None:
    hold(not at.still_open and not at.arrived and not at.failure, "branches are left", at.arrived)
    hold(at.after_deadline is None and not at.undoing, "it goes on elsewhere")
    hold(len(at.runs) == len(at.case.steps), "what never ran is not on record as skipped")
    output = joined(at.ended).data()
    hold(event.output == output, "another output", event.output, output)


def _execution_failed(at: Position, event: ev.ExecutionFailed, entry: Entry) -> None:
    hold(not at.still_open, "visits are open", list(at.open))
    hold(_fails(at, event.error, entry), "it does not fail like that", event.error)
    hold(not at.undo or not at.case.compensates or at.undoing, "it is not undone")
    hold(not at.undoing or not at.undo or at.life.cancel is not None, "not all is undone")


def _fails(at: Position, error: ev.ErrorInfo, entry: Entry) -> bool:
    """Say whether an execution may fail now with an error."""
    if at.failure is not None:
        return error.type == at.failure.type and error.step_id == at.failure.step_id
    if error.type == "LoopBoundExceeded":
        step_id = error.step_id or ""
        return at.may_begin(step_id) and at.runs.get(step_id, 0) >= BOUND
    limit = {"ExecutionTimedOut": at.limit(at.case.timeout), "DeadlinePassed": deadline_of(at)}
    due = limit.get(error.type)
    return due is not None and entry.time >= due


def _execution_cancelled(at: Position, event: ev.ExecutionCancelled, entry: Entry) -> None:
    hold(not at.still_open and at.life.cancel is not None, "nobody cancelled it")


END_RULES: dict[type[ev.Event], Callable[[Position, Any, Entry], None]] = {
    ev.ExecutionDeadlinePassed: _deadline_passed,
    ev.ExecutionCompensating: _compensating,
    ev.StepCompensationStarted: _undo_started,
    ev.StepCompensationFailed: _undo_ended,
    ev.StepCompensated: _undo_ended,
    ev.StepSkipped: _skipped,
    ev.ExecutionCompleted: _execution_completed,
    ev.ExecutionFailed: _execution_failed,
    ev.ExecutionCancelled: _execution_cancelled,
}
