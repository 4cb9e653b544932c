"""A log of commands in memory, for tests of the API."""

from dataclasses import dataclass, field

from steplog_contracts.commands import Command
from tracker_service.log.command_sink import CommandNotSent


@dataclass
class CommandsKept:
    """Keeps what is sent, by command id; `away` refuses everything, `silent` never says."""

    sent: list[tuple[str, Command]] = field(default_factory=list)
    away: bool = False
    silent: bool = False

    async def send(self, command: Command, command_id: str) -> None:
        """Keep a command."""
        if self.away:
            raise CommandNotSent("Kafka does not answer.")
        self.sent.append((command_id, command))
        if self.silent:
            raise CommandNotSent("Kafka does not acknowledge.", maybe_sent=True)

    async def partitions(self) -> int:
        """Return a count that makes ids differ by partition."""
        return 8
