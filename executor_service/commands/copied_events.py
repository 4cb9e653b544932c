"""What a new execution takes over from another: whole visits to steps, copied with their results.

Only visits that ended and let the flow go on are copied. Anything else, left out, stands again
right before its beginning when the copies are folded, so the engine begins it anew. A map of which
some items ended is copied as far as its beginning, so that it goes on with the items that are left.
"""

from collections.abc import Collection, Sequence

from executor_service.engine.human_waits import interaction_id_of
from steplog_contracts.events import (
    Event,
    StepCompensated,
    StepCompensationFailed,
    StepCompensationStarted,
    StepCompleted,
    StepEvent,
    StepFailed,
    StepProgressed,
    StepResumed,
    StepSkipped,
    StepStarted,
    StepWaiting,
)
from steplog_contracts.item_ids import map_of

Visit = tuple[str, int]
_NOT_TAKEN = (
    StepSkipped, StepProgressed, StepCompensationStarted, StepCompensationFailed, StepCompensated,
)  # fmt: skip


def ended_visits(events: Sequence[Event]) -> set[Visit]:
    """Return the visits whose result the flow went on with, or their map will."""
    ended = {
        visit_of(event)
        for event in events
        if isinstance(event, StepCompleted) or (isinstance(event, StepFailed) and event.continued)
    }
    # What became of the other items of a map that ended is in its result.
    return ended | {
        visit_of(event)
        for event in events
        if isinstance(event, StepEvent)
        and event.item_index is not None
        and _map_visit(event) in ended
    }


def before_undone(events: Sequence[Event]) -> Sequence[Event]:
    """Return the events before the first completion that was undone: the rest built on it."""
    undone = {visit_of(event) for event in events if isinstance(event, StepCompensated)}
    for index, event in enumerate(events):
        if isinstance(event, StepCompleted) and visit_of(event) in undone:
            return events[:index]
    return events


def copies(events: Sequence[Event], kept: Collection[Visit], execution_id: str) -> list[Event]:
    """Return the events of the kept visits as `execution_id` records them.

    A question is an interaction of the execution that asked; its copy is one of the new execution.
    """
    going_on = _maps_going_on(events, kept)
    return [
        _owned_by(execution_id, event)
        for event in events
        if isinstance(event, StepEvent)
        and not isinstance(event, _NOT_TAKEN)
        and (visit_of(event) in kept or _begins(event, going_on))
    ]


def _maps_going_on(events: Sequence[Event], kept: Collection[Visit]) -> set[Visit]:
    """Return the visits to maps that did not end well, and of which items did."""
    return {
        _map_visit(event)
        for event in events
        if isinstance(event, StepEvent)
        and event.item_index is not None
        and visit_of(event) in kept
        and _map_visit(event) not in kept
    }


def _begins(event: StepEvent, maps: Collection[Visit]) -> bool:
    return isinstance(event, StepStarted) and event.attempt == 1 and visit_of(event) in maps


def last_taken_seq(events: Sequence[Event], kept: Collection[Visit]) -> int:
    """Return the place, in the origin's history, of the last event taken over; 1 is its start."""
    taken = (
        seq
        for seq, event in enumerate(events, 1)
        if isinstance(event, StepEvent) and visit_of(event) in kept
    )
    return max(taken, default=1)


def visit_of(event: StepEvent) -> Visit:
    """Return the visit an event is about."""
    return event.step_id, event.iteration


def _map_visit(event: StepEvent) -> Visit:
    return map_of(event.step_id), event.iteration


def _owned_by(execution_id: str, event: StepEvent) -> StepEvent:
    if isinstance(event, StepWaiting | StepResumed):
        own = interaction_id_of(execution_id, event.step_id, event.iteration)
        return event.model_copy(update={"interaction_id": own})
    return event
