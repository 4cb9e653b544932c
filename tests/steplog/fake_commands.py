"""A log of commands in memory, for clients under test."""

from steplog.client.sender import Submitted
from steplog_contracts.commands import Command

PARTITIONS = 8


class FakeCommands:
    """Keeps what was sent; the command id is `c-1`, `c-2`, ..."""

    def __init__(self) -> None:
        self.sent: list[Command] = []

    async def send(self, command: Command, command_id: str | None = None) -> Submitted:
        """Keep a command."""
        self.sent.append(command)
        return Submitted(command.execution_id, command_id or f"c-{len(self.sent)}")

    async def partitions(self) -> int:
        """Return a small number of partitions."""
        return PARTITIONS
