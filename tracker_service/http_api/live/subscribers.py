"""Those who listen to changes: what each is told, in a queue of bounded length."""

import asyncio
from collections.abc import Sequence
from typing import Any, Final

import msgspec

from steplog_contracts.records import FINAL_EXECUTION_STATUSES
from tracker_service.http_api.live.filter_match import Match, match
from tracker_service.projections.errors import TrackerError
from tracker_service.store.queries import ExecutionFilter, Row

# Events that may wait for one listener; with more waiting it is dropped.
QUEUE_EVENTS: Final = 100
_FINAL: Final = frozenset(status.value for status in FINAL_EXECUTION_STATUSES)


class TooManyListeners(TrackerError):
    """No more streams can be opened at the moment."""


class Listener:
    """One open stream. Its events are bytes in the form of server-sent events.

    `owner` is the caller whose stream it is: a name, or an address where nobody has to show one.
    """

    def __init__(self, owner: str = "") -> None:
        self.owner = owner
        self._queue: asyncio.Queue[bytes | None] = asyncio.Queue(QUEUE_EVENTS)
        self.ended = False

    def tell(self, kind: str, event_id: str, body: Any) -> None:
        """Put an event into the queue, or drop the listener if it is full."""
        if self.ended:
            return
        try:
            self._queue.put_nowait(event_bytes(kind, event_id, body))
        except asyncio.QueueFull:
            self.ended = True

    def end(self) -> None:
        """Say that nothing follows."""
        self.ended = True
        if not self._queue.full():
            self._queue.put_nowait(None)

    async def next(self) -> bytes | None:
        """Return the next event, None when nothing follows."""
        if self.ended and self._queue.empty():
            return None
        return await self._queue.get()


class ListListener(Listener):
    """Listens to the executions of a filter."""

    def __init__(self, wanted: ExecutionFilter, owner: str = "") -> None:
        super().__init__(owner)
        self._wanted = wanted

    def told(self, rows: Sequence[Row], event_id: str, *, complete: bool) -> None:
        """Tell what matches now and what does so no more; or to read the list anew."""
        if not complete:
            self.tell("reset", event_id, {})
            return
        found = [(row, match(self._wanted, row)) for row in rows]
        items = [row for row, matched in found if matched is Match.YES]
        gone = [row["execution_id"] for row, matched in found if matched is Match.NOT_NOW]
        if items or gone:
            self.tell("executions", event_id, {"items": items, "gone": gone})


class OneListener(Listener):
    """Listens to one execution. Its first event has all steps, later ones those that changed.

    Steps are read after the execution's row and so may be newer than its position. What was told is
    therefore remembered here, by listener: a step is left out only if it was sent as it stands.
    """

    def __init__(self, execution_id: str, last_id: str | None, owner: str = "") -> None:
        super().__init__(owner)
        self.execution_id = execution_id
        self._last_id = last_id
        self._told: dict[str, tuple[Any, ...]] = {}

    def told(self, execution: Row, steps: Sequence[Row]) -> None:
        """Tell how the execution and its steps stand; after its end nothing follows."""
        marks = {step["step_execution_id"]: _mark(step) for step in steps}
        changed = [
            step
            for step in steps
            if marks[step["step_execution_id"]] != self._told.get(step["step_execution_id"])
        ]
        moved = execution["position"] != self._last_id
        # Who comes back with this very position has the execution as it stands.
        if moved or (self._told and changed):
            body = {"execution": execution, "steps": changed}
            self.tell("execution", execution["position"], body)
            self._told, self._last_id = marks, execution["position"]
        if execution["status"] in _FINAL and not execution["incomplete"]:
            self.tell("end", execution["position"], {})
            self.end()


def _mark(step: Row) -> tuple[Any, ...]:
    return step["status"], step["attempt"], step["started_at"], step["completed_at"]


def event_bytes(kind: str, event_id: str, body: Any) -> bytes:
    """Return an event; line breaks between tokens of a user's JSON become blanks."""
    data = msgspec.json.encode(body).replace(b"\r", b" ").replace(b"\n", b" ")
    return f"event: {kind}\nid: {event_id}\ndata: ".encode() + data + b"\n\n"
