"""Where the API puts commands: the log, whichever it is. The executor is never asked."""

import uuid
from datetime import UTC, datetime
from typing import Final, Protocol

from steplog_contracts.codec import encode_command
from steplog_contracts.commands import Command
from steplog_contracts.envelope import Record, SentCommand
from steplog_contracts.partitioning import NEW_ID_CHARS, new_execution_id_beside
from tracker_service.projections.errors import TrackerError

SOURCE: Final = "steplog-api"
UNACKNOWLEDGED: Final = "The log did not acknowledge the command in time."
UNSENT: Final = (
    "The command was not sent, for the log can't be used at the moment; the log lines of the API "
    "say why."
)
_COMMAND_NAMESPACE: Final = uuid.uuid5(uuid.NAMESPACE_URL, "https://steplog.dev/idempotency-keys")
_EXECUTION_NAMESPACE: Final = uuid.uuid5(uuid.NAMESPACE_URL, "https://steplog.dev/executions")


class CommandNotSent(TrackerError):
    """The log did not acknowledge the command; where `maybe_sent` it may be in it anyway."""

    def __init__(self, cause: str, *, maybe_sent: bool = False) -> None:
        remedy = " Send it again with the same Idempotency-Key." if maybe_sent else ""
        super().__init__(f"{cause}{remedy}")
        self.maybe_sent = maybe_sent
        self.for_callers = f"{UNACKNOWLEDGED}{remedy}" if maybe_sent else UNSENT


class TakesNoCommands(CommandNotSent):
    """This process has no log to put commands into."""

    def __init__(self) -> None:
        super().__init__("This API takes no commands; ask one that does.")
        self.for_callers = str(self)


class CommandSink(Protocol):
    """A log that takes commands."""

    async def send(self, command: Command, command_id: str) -> object:
        """Append one command durably; the same command id twice has the effect of once.

        Raises:
            SteplogError: it was not acknowledged, or is more than the log takes.
        """

    async def partitions(self) -> int:
        """Return how many partitions executions are spread over."""


def record_of(command: Command, command_id: str) -> Record:
    """Return the record of a command sent now."""
    return encode_command(SentCommand(command_id, SOURCE, datetime.now(UTC), command))


def command_id_for(caller: str, operation: str, key: str | None) -> str:
    """Return a command's id: with an idempotency key always the same for caller and operation."""
    if key is None:
        return str(uuid.uuid4())
    return str(uuid.uuid5(_COMMAND_NAMESPACE, "\n".join((caller, operation, key))))


def execution_id_for(command_id: str) -> str:
    """Return the id of the execution a command begins, made from the command's own."""
    return _execution_id(command_id, 0)


def execution_id_beside(origin_execution_id: str, command_id: str, partitions: int) -> str:
    """Return such an id in the origin's partition, whose owner alone can read its history."""
    return new_execution_id_beside(
        origin_execution_id, partitions, lambda number: _execution_id(command_id, number)
    )


def _execution_id(command_id: str, number: int) -> str:
    return uuid.uuid5(_EXECUTION_NAMESPACE, f"{command_id}\n{number}").hex[-NEW_ID_CHARS:]
