"""The end of visits that are cancelled, and how long an execution has run by then."""

from datetime import datetime

from executor_service.engine.state import State
from executor_service.engine.visit import Visit
from steplog_contracts import events as ev


def cancelled(state: State, reason: str) -> list[ev.Event]:
    """Return the end of every open visit."""
    return [_end(visit, reason) for visit in state.visits.values()]


def stopped(visit: Visit) -> ev.Event:
    """Return the end of a visit whose cancellation a crash kept from being recorded."""
    return _end(visit, "The flow had gone elsewhere.")


def _end(visit: Visit, reason: str) -> ev.Event:
    return ev.StepCancelled(
        step_id=visit.step.id,
        iteration=visit.iteration,
        item_index=visit.step.item_index,
        attempt=visit.attempt or 1,
        reason=reason,
    )


def elapsed_ms(state: State, now: datetime) -> float:
    """Return how long the execution has run, as far as its beginning is known."""
    if state.started_at is None:
        return 0.0
    return max(0.0, (now - state.started_at).total_seconds() * 1000)
