"""A new execution that goes on where a failed one stopped: what it takes over, and what it doesn't.

A finished execution never changes, so a retry is an execution of its own, linked by its origin. It
begins with a copy of every visit of the origin that ended and let the flow go on; the visits that
failed it, or were cancelled with it, are left out, so the flow stands again right before them.
"""

from collections.abc import Callable, Sequence

from executor_service.commands.copied_events import (
    before_undone,
    copies,
    ended_visits,
    last_taken_seq,
)
from executor_service.commands.retried_children import retried_children
from executor_service.errors import CommandNotApplicable
from executor_service.log.recovery import RecoveredExecution
from steplog_contracts.commands import RetryExecution
from steplog_contracts.event_base import RetriedChild
from steplog_contracts.events import (
    Event,
    ExecutionCancelled,
    ExecutionCompleted,
    ExecutionFailed,
    Origin,
    StepEvent,
)
from steplog_contracts.refusal_codes import RefusalCode


def retried(
    origin: RecoveredExecution,
    command: RetryExecution,
    command_id: str,
    partition_of: Callable[[str], int],
) -> list[Event]:
    """Return the first events of the retry of a failed or cancelled execution.

    A child that is retried with its parent may have completed: then all of it is taken over.

    Raises:
        CommandNotApplicable: `not_ended` or `not_failed`: there is nothing to retry.
    """
    events = [fact.event for fact in origin.facts]
    for_parent = command.parent_visit is not None
    if not (for_parent and isinstance(events[-1], ExecutionCompleted)):
        _refuse_unless_failed(origin.execution_id, events[-1])
    taken = before_undone(events)
    kept = ended_visits(taken)
    children: tuple[RetriedChild, ...] = ()
    if len(taken) == len(events):  # Otherwise steps before them run again, with other results.
        children = retried_children(events, kept, command.execution_id, partition_of)
    link = Origin(
        execution_id=origin.execution_id,
        kind="retry",
        from_step=_stopped_at(events),
        at_seq=last_taken_seq(events, kept),
        children=children,
    )
    changed: dict[str, object] = {"command_id": command_id, "origin": link}
    if for_parent:
        changed["parent_execution_id"] = command.parent_execution_id
        changed["parent_visit"] = command.parent_visit
    started = origin.started.model_copy(update=changed)
    return [started, *copies(events, kept, command.execution_id)]


def _refuse_unless_failed(execution_id: str, end: Event) -> None:
    if isinstance(end, ExecutionCompleted):
        raise CommandNotApplicable(
            RefusalCode.NOT_FAILED,
            f"Execution {execution_id} completed; run its pipeline anew instead.",
        )
    if not isinstance(end, ExecutionFailed | ExecutionCancelled):
        raise CommandNotApplicable(
            RefusalCode.NOT_ENDED, f"Execution {execution_id} has not ended; cancel it first."
        )


def _stopped_at(events: Sequence[Event]) -> str:
    """Return the step that ended the execution, or the one begun last."""
    end = events[-1]
    if isinstance(end, ExecutionFailed) and end.error.step_id is not None:
        return end.error.step_id
    steps = [event.step_id for event in events if isinstance(event, StepEvent)]
    return steps[-1] if steps else ""
