"""Commands of one partition that have come and not begun: a bounded look ahead.

So that a higher priority can overtake and a pipeline at its limit holds up no other. Nothing of
them is recorded and their offsets stay uncommitted: after a crash they simply come again. When the
room is full the partition is not read; the rest waits in Kafka.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from executor_service.admission.controller import (
    MAX_WAITING_COMMANDS,
    AdmissionController,
    Limit,
    Waiting,
)
from executor_service.live.live_execution import LiveExecution

MAX_WAITING_BYTES = 16 * 1024 * 1024
# How far a partition may run ahead of a command that waits. What is done beyond it can't be
# committed, and a new owner reads all of it again.
MAX_AHEAD = 20_000

Begin = Callable[[], LiveExecution]


@dataclass(slots=True, eq=False)
class QueuedStart:
    """A command that waits, how to begin it, and the commands that are done when it has settled."""

    offset: int
    size_bytes: int
    begin: Begin
    waiting: Waiting
    commands: list[int] = field(default_factory=list)  # Offsets.


class StartQueue:
    """The waiting commands of one partition."""

    def __init__(
        self, admission: AdmissionController, max_commands: int = MAX_WAITING_COMMANDS
    ) -> None:
        self._admission = admission
        self._max_commands = max_commands
        self._guests: dict[str, QueuedStart] = {}  # In the order they came.
        self._bytes = 0

    def __contains__(self, execution_id: str) -> bool:
        return execution_id in self._guests

    def __len__(self) -> int:
        return len(self._guests)

    def free(self, next_command: int) -> int:
        """Return how many more commands may come in."""
        if self._bytes >= MAX_WAITING_BYTES:
            return 0
        oldest = next(iter(self._guests.values()), None)
        ahead = 0 if oldest is None else next_command - oldest.offset
        return max(0, min(self._max_commands - len(self._guests), MAX_AHEAD - ahead))

    def enter(
        self,
        execution_id: str,
        begin: Begin,
        *,
        offset: int,
        size_bytes: int,
        priority: int,
        limits: tuple[Limit, ...],
    ) -> None:
        """Begin an execution as soon as it may."""
        waiting = Waiting(execution_id, lambda: self._begin(execution_id), priority, limits)
        self._guests[execution_id] = QueuedStart(offset, size_bytes, begin, waiting)
        self._bytes += size_bytes
        self._admission.ask(waiting)

    def commands_of(self, execution_id: str) -> list[int] | None:
        """Return the offsets of commands that are done once a waiting execution has settled."""
        guest = self._guests.get(execution_id)
        return None if guest is None else guest.commands

    def begin_now(self, execution_id: str) -> LiveExecution:
        """Begin one that waits without asking any further: it is to be ended at once."""
        self._admission.leave(self._guests[execution_id].waiting)
        return self._begin(execution_id)

    def close(self) -> None:
        """Let nobody begin any more."""
        for guest in self._guests.values():
            self._admission.leave(guest.waiting)
        self._guests.clear()

    def _begin(self, execution_id: str) -> LiveExecution:
        guest = self._guests.pop(execution_id)
        self._bytes -= guest.size_bytes
        live = guest.begin()
        live.commands += guest.commands
        return live
