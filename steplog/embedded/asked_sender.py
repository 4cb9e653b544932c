"""Commands of somebody who allows step modules by asking for what names them."""

from executor_service.definitions.asked_modules import AskedModules
from executor_service.service_errors import UnknownPipeline
from steplog.client.sender import Submitted
from steplog.embedded.node import Node
from steplog.embedded.sender import EmbeddedSender
from steplog_contracts.codec import decode_command, decode_event
from steplog_contracts.commands import (
    Command,
    ForkExecution,
    ResumeExecution,
    RetryExecution,
    RunPipeline,
)
from steplog_contracts.errors import ContractError
from steplog_contracts.events import ExecutionStarted
from steplog_contracts.payload import JsonObject


class AskedSender:
    """Allows the modules of what a command is about, then appends it; satisfies `Sender`."""

    def __init__(self, sender: EmbeddedSender, node: Node, asked: AskedModules) -> None:
        self._sender = sender
        self._node = node
        self._asked = asked

    async def send(self, command: Command, command_id: str | None = None) -> Submitted:
        """Append one command; see `EmbeddedSender.send`."""
        definition = await self._definition(command)
        if definition is not None:
            self._asked.ask_for(definition)
        return await self._sender.send(command, command_id)

    async def partitions(self) -> int:
        """Return 1: a file has no partitions."""
        return await self._sender.partitions()

    async def _definition(self, command: Command) -> JsonObject | None:
        match command:
            case RunPipeline():
                return self._of_run(command)
            case RetryExecution() | ForkExecution():
                origin = command.origin_execution_id
                return await self._recorded(origin) or await self._queued(origin)
            case ResumeExecution():
                return await self._recorded(command.execution_id)
        return None  # A cancel needs no code.

    def _of_run(self, command: RunPipeline) -> JsonObject | None:
        if command.definition is not None or command.pipeline is None:
            return command.definition
        try:
            return self._node.catalogue.named(command.pipeline)
        except UnknownPipeline:
            return None  # The executor refuses it, with the names there are.

    async def _recorded(self, execution_id: str) -> JsonObject | None:
        """Return the definition that an execution began with."""
        reader, kind = self._node.file.reader, ExecutionStarted.event_type
        for record in await reader.records_of(execution_id, "events", kind):
            event = decode_event(record.value or b"", record.headers).event
            if isinstance(event, ExecutionStarted) and event.definition is not None:
                return event.definition
        return None

    async def _queued(self, execution_id: str) -> JsonObject | None:
        """Return the definition of the command that asks for an execution."""
        reader, kind = self._node.file.reader, RunPipeline.command_type
        for record in await reader.records_of(execution_id, "commands", kind):
            try:
                command = decode_command(record.value, record.headers).command
            except ContractError:
                continue
            if isinstance(command, RunPipeline):
                return self._of_run(command)
        return None
