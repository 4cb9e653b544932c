"""Commands into the file of this process."""

import uuid
from datetime import UTC, datetime

from executor_service.adapters.embedded.event_log import PARTITIONS
from executor_service.adapters.embedded.file import EmbeddedFile
from executor_service.payloads.client import Payloads
from steplog.client.command_record import record_of
from steplog.client.sender import Submitted
from steplog_contracts.commands import Command
from steplog_contracts.envelope import SentCommand

SOURCE = "steplog-embedded"


class EmbeddedSender:
    """Appends commands; satisfies `steplog.client.sender.Sender`."""

    def __init__(self, file: EmbeddedFile, payloads: Payloads | None = None) -> None:
        """Without `payloads` a command that is too large for the log is refused."""
        self._file = file
        self._payloads = payloads or Payloads()

    async def send(self, command: Command, command_id: str | None = None) -> Submitted:
        """Append one command; it is on the disk when this returns.

        Raises:
            BadInput: it is larger than the log takes.
            ServiceUnreachable: the payload store does not take a value.
            FileFailed: the file can't be written any more.
        """
        sent = SentCommand(command_id or str(uuid.uuid4()), SOURCE, datetime.now(UTC), command)
        record = await record_of(sent, self._payloads)
        await self._file.append("commands", [record])
        return Submitted(command.execution_id, sent.command_id)

    async def partitions(self) -> int:
        """Return 1: a file has no partitions."""
        return PARTITIONS
