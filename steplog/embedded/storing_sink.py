"""Commands that come to the API of a file: what is large in them is stored beside it."""

from steplog.client.sender import Submitted
from steplog.embedded.sender import EmbeddedSender
from steplog.errors import BadInput, ServiceUnreachable
from steplog_contracts.commands import Command
from tracker_service.http_api.problems import TooLarge
from tracker_service.log.command_sink import CommandNotSent


class StoringSink:
    """Satisfies `CommandSink`; what can't be taken is said in the API's words."""

    def __init__(self, sender: EmbeddedSender) -> None:
        self._sender = sender

    async def send(self, command: Command, command_id: str) -> Submitted:
        """Append one command, its large values stored.

        Raises:
            TooLarge: what may not be stored apart is larger than the log takes.
            CommandNotSent: the store does not take a value.
        """
        try:
            return await self._sender.send(command, command_id)
        except BadInput as error:
            raise TooLarge(str(error)) from error
        except ServiceUnreachable as error:
            raise CommandNotSent(str(error)) from error

    async def partitions(self) -> int:
        """Return 1: a file has no partitions."""
        return await self._sender.partitions()
