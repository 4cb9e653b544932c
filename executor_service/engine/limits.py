"""Limits in time of a whole execution: how long it may take, how late it may begin, its deadline.

Only recorded times decide: they count from when the first step began, as its event says, so they
hold through restarts and wherever the execution is gone on with. A start that was put off to a time
begins to count then.
"""

from datetime import UTC, datetime, timedelta
from typing import Final

from executor_service.engine.cancelled_visits import cancelled
from executor_service.engine.fold import evolve
from executor_service.engine.state import Planned, State, initial
from executor_service.engine.templates import Template, render
from executor_service.engine.time_limits import FAIL, TimeLimits
from executor_service.errors import (
    DeadlinePassed,
    ExecutionTimedOut,
    InputRefused,
    StartedTooLate,
    StepProblem,
)
from steplog_contracts import events as ev

MAX_SHOWN_CHARS: Final = 100
_EVER: Final = datetime.min.replace(tzinfo=UTC)


def next_limit(state: State) -> datetime | None:
    """Return the earliest time at which a limit ends or turns the execution."""
    limits = state.plan.limits
    if limits is None or state.end is not None:
        return None
    return min((at for at, _ in _ends(state, limits)), default=None)


def limit_passed(state: State, now: datetime) -> ev.ErrorInfo | None:
    """Return why an execution must fail now for a limit, or None."""
    limits = state.plan.limits
    if limits is None:
        return None
    for at, error in _ends(state, limits):
        if at <= now and error is not None:
            return ev.ErrorInfo(type=type(error).__name__, message=str(error))
    late = _start_is_late(state, limits, now)
    return None if late is None else ev.ErrorInfo(type=type(late).__name__, message=str(late))


def must_turn(state: State, now: datetime) -> bool:
    """Say whether the deadline has come at which the flow goes to another step."""
    limits = state.plan.limits
    if limits is None or limits.deadline is None or limits.deadline.then == FAIL:
        return False
    return any(at <= now and error is None for at, error in _ends(state, limits))


def turned(state: State, now: datetime) -> list[ev.Event]:
    """Return what a deadline does that leads to a step: what is open is cancelled."""
    limits = state.plan.limits
    assert limits is not None, "asked for by `must_turn`"
    assert limits.deadline is not None, "asked for by `must_turn`"
    to_step = limits.deadline.then
    reason = f"The deadline passed; the flow goes to step '{to_step}'."
    return [ev.ExecutionDeadlinePassed(to_step=to_step, passed_at=now), *cancelled(state, reason)]


def refuse_past_deadline(planned: Planned, started: ev.ExecutionStarted, now: datetime) -> None:
    """Refuse to begin an execution whose deadline is no time or lies in the past.

    Raises:
        InputRefused: with the place in the definition.
    """
    limits = planned.plan.limits
    if limits is None or limits.deadline is None or limits.deadline.at is None:
        return
    try:
        at = _time_of(evolve(initial(planned), started), limits.deadline.at)
    except StepProblem as problem:
        raise InputRefused(f"$.deadline.at: {problem}") from problem
    if at <= now:
        raise InputRefused(
            f"$.deadline.at: the deadline {at.isoformat()} is past; it is {now.isoformat()}. "
            "Give a time to come."
        )


def too_late(limits: TimeLimits | None, asked_at: datetime | None, now: datetime) -> str | None:
    """Return why an execution may not begin any more that was asked for at a time, or None."""
    seconds = None if limits is None else limits.start_within_seconds
    if seconds is None or asked_at is None or now - asked_at <= timedelta(seconds=seconds):
        return None
    return (
        f"It was to begin within {seconds:g} s and its turn came after "
        f"{(now - asked_at).total_seconds():.1f} s; give it more time or more slots, then retry."
    )


def _start_is_late(state: State, limits: TimeLimits, now: datetime) -> StartedTooLate | None:
    visit = state.visits.get(state.plan.start_at)
    if visit is None or visit.status != "scheduled" or state.began_at is not None:
        return None
    why = too_late(limits, visit.due_at, now)
    return None if why is None else StartedTooLate(why)


def _ends(state: State, limits: TimeLimits) -> list[tuple[datetime, StepProblem | None]]:
    """Return when each limit ends, with its error; None where the flow goes on from it."""
    began, ends = state.began_at, list[tuple[datetime, StepProblem | None]]()
    at: datetime | None = None
    if began is not None and limits.timeout_seconds is not None:
        text = f"The execution took longer than its timeout_seconds, {limits.timeout_seconds:g}."
        at = began + timedelta(seconds=limits.timeout_seconds)
        ends.append((at, ExecutionTimedOut(text)))
    deadline = limits.deadline
    if deadline is None or state.deadline_passed:
        return ends
    if deadline.after_seconds is not None:
        at = None if began is None else began + timedelta(seconds=deadline.after_seconds)
    else:
        try:
            at = state.deadline_at = state.deadline_at or _time_of(state, deadline.at)
        except StepProblem as problem:
            return [*ends, (_EVER, problem)]
    if at is not None:
        text = f"The deadline {at.isoformat()} passed before the execution had ended."
        ends.append((at, DeadlinePassed(text) if deadline.then == FAIL else None))
    return ends


def _time_of(state: State, template: Template) -> datetime:
    """Return the time that a template resolves to.

    Raises:
        StepProblem: it leads nowhere, or to what is no time.
    """
    written = render(template, state.reading(state.root), "deadline.at")
    at = time_in(written)
    if at is None:
        raise DeadlinePassed(
            f"{str(written)[:MAX_SHOWN_CHARS]!r} is no time; give one such as "
            "2030-01-31T12:00:00Z, with its zone."
        )
    return at


def time_in(written: object) -> datetime | None:
    """Return the time that a text says, if it says one with its zone."""
    if not isinstance(written, str):
        return None
    try:
        at = datetime.fromisoformat(written)
    except ValueError:
        return None
    return None if at.tzinfo is None else at
