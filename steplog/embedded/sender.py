"""Commands into the file of this process."""

import uuid
from datetime import UTC, datetime

from contracts.codec import encode_command
from contracts.commands import Command
from contracts.envelope import SentCommand
from executor_service.adapters.embedded_event_log import PARTITIONS
from executor_service.adapters.embedded_file import EmbeddedFile
from executor_service.event_log import MAX_RECORD_BYTES
from steplog.errors import BadInput
from steplog.sending import Submitted

SOURCE = "steplog-embedded"


class EmbeddedSender:
    """Appends commands; satisfies `steplog.sending.Sender`."""

    def __init__(self, file: EmbeddedFile) -> None:
        self._file = file

    async def send(self, command: Command, command_id: str | None = None) -> Submitted:
        """Append one command; it is on the disk when this returns.

        Raises:
            BadInput: it is larger than the log takes.
            FileFailed: the file can't be written any more.
        """
        sent = SentCommand(command_id or str(uuid.uuid4()), SOURCE, datetime.now(UTC), command)
        record = encode_command(sent)
        if len(record.value or b"") > MAX_RECORD_BYTES:
            raise BadInput(
                f"The command has {len(record.value or b'')} bytes and the log takes "
                f"{MAX_RECORD_BYTES}; give a reference instead of the data."
            )
        await self._file.append("commands", [record])
        return Submitted(command.execution_id, sent.command_id)

    async def partitions(self) -> int:
        """Return 1: a file has no partitions."""
        return PARTITIONS
