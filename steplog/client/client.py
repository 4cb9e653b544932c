"""Run pipelines and read what became of them, from Python.

async with Steplog.connect() as steplog:
    submitted = await steplog.run("seattle_weather", {"year": 2015})
    execution = await steplog.result(submitted)

`steplog.blocking` has the same without `await`.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime
from typing import Any, TypeVar

from steplog.client import command_builder
from steplog.client.addresses import Addresses, find_addresses
from steplog.client.definition_source import PipelineSource
from steplog.client.kafka_sender import CommandSender, payloads_of
from steplog.client.read_api import ExecutionPage, Parameter, ReadApi
from steplog.client.sender import Sender, Submitted
from steplog.client.watch import ExecutionView, glimpses
from steplog.errors import (
    CommandWasRefused,
    NotAnswered,
    NotAvailable,
    NotFound,
    ServiceUnreachable,
)
from steplog.settings import load_settings
from steplog_contracts.commands import Command
from steplog_contracts.partitioning import new_execution_id_beside
from steplog_contracts.payload import JsonValue
from steplog_contracts.records import (
    FINAL_EXECUTION_STATUSES,
    ExecutionRecord,
    InteractionRecord,
    StepRecord,
)

FIRST_POLL_S = 0.02
LONGEST_POLL_S = 0.5
MAX_SENT_IDS = 10_000
COMMAND_WAIT_MS = 5_000
DEFAULT_RESULT_TIMEOUT_S = 3600.0
# How long an API may be away, for a restart of it or of its database, while a result is waited for.
OUTAGE_PATIENCE_S = 60.0
AnswerT = TypeVar("AnswerT")


class Steplog:
    """A connection to one steplog: commands go to the log, questions to the API."""

    def __init__(self, commands: Sender, read: ReadApi) -> None:
        self._commands = commands
        self.read = read
        self._answered = False
        self._sent: dict[str, None] = {}  # The latest ids, for which rows may be on their way.

    @classmethod
    @asynccontextmanager
    async def connect(cls, addresses: Addresses | None = None) -> AsyncIterator["Steplog"]:
        """Connect; without addresses to what the environment or the local stack here says."""
        found = addresses or find_addresses(load_settings())
        async with AsyncExitStack() as stack:
            sender = CommandSender(
                found.kafka_bootstrap_servers, found.topics.commands, payloads_of(found)
            )
            await stack.enter_async_context(sender)
            read = ReadApi(found.api_url, token=found.api_token)
            stack.push_async_callback(read.close)
            yield cls(sender, read)

    async def run(  # noqa: PLR0913 - what a command can say
        self,
        pipeline: PipelineSource,
        input: JsonValue = None,  # noqa: A002 - the word of the definition and of the command
        *,
        execution_id: str | None = None,
        command_id: str | None = None,
        parameters: Mapping[str, Any] | None = None,
        metadata: Mapping[str, Any] | None = None,
        not_before: datetime | None = None,
        priority: int | None = None,
        concurrency_key: str | None = None,
    ) -> Submitted:
        """Ask for an execution of a definition, given as it is, as the path of its JSON file, as a
        `Pipeline`, or as a name that the executor knows.

        It is in the log when this returns, and will be run; `result` waits for its end. An id of
        your own must lie in the partition of the concurrency key, if you give both.

        Raises:
            BadInput: an argument has no form the command can take.
        """
        if concurrency_key is not None and execution_id is None:
            partitions = await self._commands.partitions()
            execution_id = new_execution_id_beside(concurrency_key, partitions)
        given = {
            "execution_id": execution_id,
            "parameters": parameters,
            "metadata": metadata,
            "not_before": not_before,
            "priority": priority,
            "concurrency_key": concurrency_key,
        }
        return await self._send(command_builder.run_pipeline(pipeline, input, given), command_id)

    async def cancel(
        self, execution_id: str, reason: str = "", *, compensate: bool = False
    ) -> Submitted:
        """Ask an execution to stop before its next step, what it did undone if asked."""
        return await self._send(
            command_builder.cancel_execution(execution_id, reason, compensate=compensate)
        )

    async def resume(
        self, execution_id: str, human_input: JsonValue, step_id: str | None = None
    ) -> Submitted:
        """Answer a step that waits for a person; its name may be left out if only one waits."""
        command = command_builder.resume_execution(execution_id, human_input, step_id)
        return await self._send(command)

    async def retry(self, origin_execution_id: str) -> Submitted:
        """Ask for a new execution that goes on where a failed or cancelled one stopped."""
        partitions = await self._commands.partitions()
        return await self._send(command_builder.retry_execution(origin_execution_id, partitions))

    async def fork(
        self,
        origin_execution_id: str,
        from_step: str,
        *,
        iteration: int = 1,
        input_patch: Mapping[str, Any] | None = None,
    ) -> Submitted:
        """Ask for a new execution that begins at the moment a step of another one began.

        `input_patch` is a JSON Merge Patch (RFC 7396) of the origin's input.
        """
        partitions = await self._commands.partitions()
        command = command_builder.fork_execution(
            origin_execution_id, from_step, partitions, iteration=iteration, input_patch=input_patch
        )
        return await self._send(command)

    async def get(self, execution_id: str) -> ExecutionRecord | None:
        """Return an execution as the rows have it now, or None where they have none.

        Values over 64 KiB are kept apart and fetched here, up to 64 MiB; a `StoredValue` stands for
        what goes beyond or can't be had: it is never None, and `await value.fetch()` gets it.
        """
        try:
            return await self.read.execution(execution_id)
        except NotFound:
            return None

    async def steps(self, execution_id: str) -> tuple[StepRecord, ...]:
        """Return an execution's visits to steps in the order they began."""
        return await self.read.steps(execution_id)

    async def waits(self, execution_id: str) -> tuple[InteractionRecord, ...]:
        """Return the questions an execution asked people, answered ones too."""
        return await self.read.waits(execution_id)

    async def payload(self, execution_id: str, sha256: str) -> JsonValue:
        """Return a value that a record has in its `references` instead of in itself."""
        return await self.read.payload(execution_id, sha256)

    async def executions(self, **filters: Parameter) -> ExecutionPage:
        """Return a page of executions, newest first.

        `filters` are the parameters of `GET /api/executions`, such as `status`, `pipeline_id`,
        `error`, `limit` and, for the next page, `cursor`; a list asks for any of its values.
        """
        return await self.read.executions(**filters)

    def watch(self, execution_id: str) -> AsyncGenerator[ExecutionView]:
        """Yield the execution and its steps whenever they changed, until it has ended.

        Changes come as they commit, over one connection that is taken up again if it breaks. One
        that this client has just asked for is waited for; for any other id `NotFound` is raised.
        """
        return glimpses(self.read, execution_id, just_sent=execution_id in self._sent)

    async def applied(self, submitted: Submitted) -> None:
        """Return once a command shows in the rows.

        Raises:
            CommandWasRefused: the executor refused it; the text is the executor's.
        """
        command_id = submitted.command_id
        while True:
            outcome = await self._asked(lambda: self.read.command(command_id, COMMAND_WAIT_MS))
            if outcome.status == "refused":
                raise CommandWasRefused(outcome.message or "The command was refused.")
            if outcome.status == "applied":
                return

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
                await self.applied(submitted)
                return await self._until_ended(submitted.execution_id)
        except TimeoutError as error:
            raise NotAnswered(
                f"Execution {submitted.execution_id} has not ended within {timeout_s:.0f} s; "
                f"look at it with `steplog show {submitted.execution_id}`."
            ) from error

    async def _send(self, command: Command, command_id: str | None = None) -> Submitted:
        submitted = await self._commands.send(command, command_id)
        if len(self._sent) >= MAX_SENT_IDS:
            del self._sent[next(iter(self._sent))]
        self._sent[submitted.execution_id] = None
        return submitted

    async def _whole(self, execution: ExecutionRecord) -> ExecutionRecord:
        """Return an ended execution with its values, read again only if some are stored apart."""
        if not execution.references:
            return execution
        return await self.read.execution(execution.execution_id)

    async def _until_ended(self, execution_id: str) -> ExecutionRecord:
        pause_s = FIRST_POLL_S
        while True:
            execution = await self._asked(lambda: self.read.execution(execution_id, whole=False))
            if execution.status in FINAL_EXECUTION_STATUSES:
                return await self._whole(execution)
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 1.5, LONGEST_POLL_S)

    async def _asked(self, ask: Callable[[], Awaitable[AnswerT]]) -> AnswerT:
        """Return an answer, asking again while the API is away for a while after it had answered.

        What is waited for runs on meanwhile; an address where nobody ever answered is an error.
        """
        away_since_s: float | None = None
        while True:
            try:
                answer = await ask()
            except (NotAvailable, ServiceUnreachable) as error:
                now_s = time.monotonic()
                away_since_s = away_since_s or now_s
                known = self._answered or isinstance(error, NotAvailable)
                if not known or now_s - away_since_s > OUTAGE_PATIENCE_S:
                    raise
                await asyncio.sleep(LONGEST_POLL_S)
            else:
                self._answered = True
                return answer
