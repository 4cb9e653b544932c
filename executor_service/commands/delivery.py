"""One arrival of a command: what the stages from the topic to an execution hand on."""

from dataclasses import dataclass, replace

from steplog_contracts.commands import Command
from steplog_contracts.envelope import SentCommand


@dataclass(frozen=True, slots=True)
class Delivery:
    """A command that was read, where it stands, and how far the events log was when it came."""

    sent: SentCommand
    offset: int  # In the commands topic.
    floor: int  # In the events topic: nothing it leads to stands before.
    size_bytes: int

    @property
    def command(self) -> Command:
        """Return what is asked for."""
        return self.sent.command

    @property
    def execution_id(self) -> str:
        """Return the execution it is for."""
        return self.sent.command.execution_id

    @property
    def command_id(self) -> str:
        """Return the id its sender gave it."""
        return self.sent.command_id

    def with_command(self, command: Command) -> "Delivery":
        """Return the same delivery of a command whose stored values are in place."""
        return replace(self, sent=replace(self.sent, command=command))
