"""Delays that a flow itself asks for, between attempts and between rounds of a loop.

They are recorded as the time they end at. Where the wall clock was set back since, that time is
further away than the flow ever wanted. A time that a person named, a start's `not_before` or the
expiry of a question, is no such delay: it stays what it is.
"""

from datetime import datetime, timedelta

from executor_service.engine.plan import WAIT
from executor_service.engine.state import START, State
from executor_service.engine.visit import Visit
from steplog_contracts.definition_parts import FIRST_LANGUAGE


def longest_delay(state: State, visit: Visit) -> timedelta | None:
    """Return the most that a visit's delay lasts by its flow; None where it has no such delay."""
    if visit.status == "retrying" and visit.step.retry is not None:
        return visit.step.retry.delay(max(visit.failures, 1), 0.0)
    if visit.step.type == WAIT and state.language > FIRST_LANGUAGE:
        return _longest_wait(state, visit)
    if visit.status == "scheduled" and visit.path_index != START:
        return timedelta(seconds=state.plan.loop.iteration_delay_seconds)
    return None


def _longest_wait(state: State, visit: Visit) -> timedelta | None:
    seconds = visit.step.config.get("seconds")
    if isinstance(seconds, int | float) and visit.path_index != START:
        return timedelta(seconds=seconds + state.plan.loop.iteration_delay_seconds)
    return None  # Until a time that was named, or that data led to.


def cap_delay(state: State, visit: Visit, now: datetime) -> None:
    """Let a visit's delay end no later than if it began now."""
    longest = longest_delay(state, visit)
    if longest is not None and visit.due_at is not None and visit.due_at - now > longest:
        visit.due_at = now + longest
