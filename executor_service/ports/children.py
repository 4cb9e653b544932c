"""The port through which an execution has others run."""

from typing import Protocol

from steplog_contracts.parent_visit import ParentVisit
from steplog_contracts.payload import JsonObject, JsonValue


class Children(Protocol):
    """Asks for executions and for their ends; each call returns once that can't be lost."""

    async def begin(
        self,
        child_id: str,
        *,
        pipeline: str | None,
        definition: JsonObject | None,
        input_data: JsonValue,
        parent_id: str,
        parent_visit: ParentVisit,
    ) -> None:
        """Ask for an execution to begin; asking again changes nothing."""

    async def retry(
        self, child_id: str, *, origin_id: str, parent_id: str, parent_visit: ParentVisit
    ) -> None:
        """Ask for an execution that goes on from one that did not complete, or takes a completed
        one over; asking again changes nothing."""

    async def cancel(self, child_id: str, reason: str, *, compensate: bool = False) -> None:
        """Ask for an execution to end, what it did undone first if so asked; asking again changes
        nothing."""
