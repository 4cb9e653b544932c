"""Children that are retried with their parent: those that had begun and did not complete.

Each goes on from the one of the origin, which only the owner of that one's partition can read. So
the new id is chosen to lie there too, the same one whenever it is worked out.
"""

import uuid
from collections.abc import Callable, Collection, Sequence
from typing import Final

from executor_service.commands.copied_events import Visit, visit_of
from executor_service.errors import ChildRefused
from steplog_contracts.event_base import RetriedChild
from steplog_contracts.events import (
    Event,
    ExecutionStarted,
    StepChildStarted,
    StepFailed,
)
from steplog_contracts.partitioning import MAX_ID_TRIES

# They stand in one event; what is beyond is begun anew.
MAX_RETRIED: Final = 1_000
_RETRIES: Final = uuid.uuid5(uuid.NAMESPACE_URL, "https://steplog.dev/retried-children")


def retried_children(
    events: Sequence[Event],
    kept: Collection[Visit],
    execution_id: str,
    partition_of: Callable[[str], int],
) -> tuple[RetriedChild, ...]:
    """Return the children that an execution's retry goes on with; of each visit the newest one."""
    open_children = {
        visit: child for visit, child in _newest_children(events).items() if visit not in kept
    }
    return tuple(
        RetriedChild(
            step_id=step_id,
            iteration=iteration,
            origin_execution_id=child,
            execution_id=_id_beside(child, f"{execution_id}:{step_id}:{iteration}", partition_of),
        )
        for (step_id, iteration), child in list(open_children.items())[:MAX_RETRIED]
    )


def _newest_children(events: Sequence[Event]) -> dict[Visit, str]:
    """Return the newest child of each visit, those included that a retry has not come to."""
    children: dict[Visit, str] = {}
    for event in events:
        if isinstance(event, ExecutionStarted) and event.origin is not None:
            for child in event.origin.children:
                children[child.step_id, child.iteration] = child.origin_execution_id
        elif isinstance(event, StepChildStarted):
            children[visit_of(event)] = event.child_execution_id
        elif isinstance(event, StepFailed) and event.error.type == ChildRefused.__name__:
            children.pop(visit_of(event), None)  # It never was.
    return children


def _id_beside(child_id: str, name: str, partition_of: Callable[[str], int]) -> str:
    wanted = partition_of(child_id)
    for number in range(MAX_ID_TRIES):
        found = str(uuid.uuid5(_RETRIES, f"{name}:{number}"))
        if partition_of(found) == wanted:
            return found
    raise AssertionError(f"no id found for partition {wanted}")
