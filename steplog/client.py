"""Run pipelines and read what became of them, from Python.

async with Steplog.connect() as steplog:
    submitted = await steplog.run("seattle_weather", {"year": 2015})
    execution = await steplog.result(submitted)
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from pydantic import ValidationError

from contracts.commands import RunPipeline
from contracts.partitioning import new_execution_id
from contracts.payload import JsonValue
from contracts.records import FINAL_EXECUTION_STATUSES, ExecutionRecord
from steplog.addresses import Addresses, find_addresses
from steplog.command_sender import CommandSender
from steplog.errors import BadInput, CommandWasRefused, NotAnswered
from steplog.read_api import ReadApi
from steplog.sending import Sender, Submitted
from steplog.settings import load_settings

FIRST_POLL_S = 0.02
LONGEST_POLL_S = 0.5
COMMAND_WAIT_MS = 5_000
DEFAULT_RESULT_TIMEOUT_S = 3600.0


class Steplog:
    """A connection to one steplog: commands go to the log, questions to the API."""

    def __init__(self, sender: Sender, read: ReadApi) -> None:
        self._sender = sender
        self.read = read

    @classmethod
    @asynccontextmanager
    async def connect(cls, addresses: Addresses | None = None) -> AsyncIterator["Steplog"]:
        """Connect; without addresses to what the environment or the local stack here says."""
        found = addresses or find_addresses(load_settings())
        async with AsyncExitStack() as stack:
            sender = CommandSender(found.kafka_bootstrap_servers, found.topics.commands)
            await stack.enter_async_context(sender)
            read = ReadApi(found.api_url)
            stack.push_async_callback(read.close)
            yield cls(sender, read)

    async def run(
        self,
        pipeline: str | Mapping[str, Any],
        input: JsonValue = None,  # noqa: A002 - the word of the definition and of the command
        *,
        execution_id: str | None = None,
        command_id: str | None = None,
    ) -> Submitted:
        """Ask for an execution of a definition, or of one the executor knows by name.

        It is in the log when this returns, and will be run; `result` waits for its end.

        Raises:
            BadInput: an argument has no form the command can take.
        """
        what = {"pipeline": pipeline} if isinstance(pipeline, str) else {"definition": pipeline}
        try:
            command = RunPipeline.model_validate(
                {
                    "execution_id": execution_id or new_execution_id(),
                    "input": {} if input is None else input,
                    **what,
                }
            )
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            place = ".".join(str(part) for part in first["loc"])
            raise BadInput(f"The command's {place} can't be used: {first['msg']}.") from error
        return await self._sender.send(command, command_id)

    async def result(
        self, submitted: Submitted, timeout_s: float = DEFAULT_RESULT_TIMEOUT_S
    ) -> ExecutionRecord:
        """Return the execution once it has ended, well or not.

        Raises:
            CommandWasRefused: it never began; the text is the executor's.
            NotAnswered: it has not ended in time.
        """
        try:
            async with asyncio.timeout(timeout_s):
                await self._until_taken(submitted)
                return await self._until_ended(submitted.execution_id)
        except TimeoutError as error:
            raise NotAnswered(
                f"Execution {submitted.execution_id} has not ended within {timeout_s:.0f} s; "
                f"look at it with `steplog show {submitted.execution_id}`."
            ) from error

    async def _until_taken(self, submitted: Submitted) -> None:
        while True:
            outcome = await self.read.command(submitted.command_id, COMMAND_WAIT_MS)
            if outcome.status == "refused":
                raise CommandWasRefused(outcome.message or "The command was refused.")
            if outcome.status == "applied":
                return

    async def _until_ended(self, execution_id: str) -> ExecutionRecord:
        pause_s = FIRST_POLL_S
        while True:
            execution = await self.read.execution(execution_id)
            if execution.status in FINAL_EXECUTION_STATUSES:
                return execution
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 1.5, LONGEST_POLL_S)
