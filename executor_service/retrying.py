"""A new execution that goes on where a failed one stopped: what it takes over, and what it doesn't.

A finished execution never changes, so a retry is an execution of its own, linked by its origin. It
begins with a copy of every visit of the origin that ended and let the flow go on; the visits that
failed it, or were cancelled with it, are left out, so the flow stands again right before them.
"""

from collections.abc import Sequence

from contracts.events import (
    Event,
    ExecutionCancelled,
    ExecutionCompleted,
    ExecutionFailed,
    Origin,
    StepCompleted,
    StepEvent,
    StepFailed,
    StepSkipped,
)
from executor_service.errors import CommandNotApplicable
from executor_service.recovery import RecoveredExecution

Visit = tuple[str, int]


def retried(origin: RecoveredExecution, command_id: str) -> list[Event]:
    """Return the first events of the retry of a failed or cancelled execution.

    Raises:
        CommandNotApplicable: `not_ended` or `not_failed`: there is nothing to retry.
    """
    events = [fact.event for fact in origin.facts]
    _refuse_unless_failed(origin.execution_id, events[-1])
    kept = _visits_that_ended(events)
    copies = [
        event
        for event in events
        if isinstance(event, StepEvent)
        and not isinstance(event, StepSkipped)
        and (event.step_id, event.iteration) in kept
    ]
    link = Origin(
        execution_id=origin.execution_id,
        kind="retry",
        from_step=_stopped_at(events),
        at_seq=max(1, len(copies)),
    )
    started = origin.started.model_copy(update={"command_id": command_id, "origin": link})
    return [started, *copies]


def _refuse_unless_failed(execution_id: str, end: Event) -> None:
    if isinstance(end, ExecutionCompleted):
        raise CommandNotApplicable(
            "not_failed", f"Execution {execution_id} completed; run its pipeline anew instead."
        )
    if not isinstance(end, ExecutionFailed | ExecutionCancelled):
        raise CommandNotApplicable(
            "not_ended", f"Execution {execution_id} has not ended; cancel it first."
        )


def _visits_that_ended(events: Sequence[Event]) -> set[Visit]:
    """Return the visits whose result the flow went on with."""
    return {
        (event.step_id, event.iteration)
        for event in events
        if isinstance(event, StepCompleted) or (isinstance(event, StepFailed) and event.continued)
    }


def _stopped_at(events: Sequence[Event]) -> str:
    """Return the step that ended the execution, or the one begun last."""
    end = events[-1]
    if isinstance(end, ExecutionFailed) and end.error.step_id is not None:
        return end.error.step_id
    steps = [event.step_id for event in events if isinstance(event, StepEvent)]
    return steps[-1] if steps else ""
