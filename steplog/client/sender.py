"""How a command gets into a log, whichever log it is."""

from dataclasses import dataclass
from typing import Protocol

from steplog_contracts.commands import Command


@dataclass(frozen=True, slots=True)
class Submitted:
    """A command that is in the log: what it concerns, and its id to wait for."""

    execution_id: str
    command_id: str


class Sender(Protocol):
    """Where a client's commands go."""

    async def send(self, command: Command, command_id: str | None = None) -> Submitted:
        """Append one command durably; the same command id twice has the effect of once."""

    async def partitions(self) -> int:
        """Return how many partitions executions are spread over."""
