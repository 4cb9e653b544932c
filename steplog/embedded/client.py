"""Run pipelines in this process, on one file, with the face of the client for Kafka."""

import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractContextManager, AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import TypeVar

import structlog

from executor_service import ServiceRegistry
from steplog.blocking import BlockingSteplog
from steplog.client.client import Steplog
from steplog.client.read_api import ReadApi
from steplog.client.sender import Submitted
from steplog.embedded.asked_sender import AskedSender
from steplog.embedded.node import Node, running_node
from steplog.embedded.read_api import in_process
from steplog.embedded.sender import EmbeddedSender
from steplog.embedded.settings import DEFAULT_IN_FLIGHT, EmbeddedSettings
from steplog.errors import CommandWasRefused
from steplog_contracts.records import FINAL_EXECUTION_STATUSES, ExecutionRecord

# A repaired row changes without an event of its execution: looked for at least so often.
LOOK_AGAIN_S = 2.0
ResultT = TypeVar("ResultT")


class Embedded(Steplog):
    """A steplog that runs inside this process; `open` is the way to one."""

    def __init__(self, node: Node, read: ReadApi) -> None:
        sender = EmbeddedSender(node.file, node.payloads)
        asked = node.settings.asked
        super().__init__(sender if asked is None else AskedSender(sender, node, asked), read)
        self.node = node

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        path: Path | str,
        *,
        step_modules: Sequence[str] | None = None,
        pipelines_dir: Path | None = None,
        services: ServiceRegistry | None = None,
        max_executions_in_flight: int = DEFAULT_IN_FLIGHT,
        payload_store: str | None = None,
    ) -> AsyncIterator["Embedded"]:
        """Open the file, or make it, and run what is and will be in it until the block ends.

        Without `step_modules` definitions may name any installed module but the standard library's;
        without `payload_store` what is too large for an event goes to a folder beside the file.

        Raises:
            FileRefused: another process runs on the file, or it can't be used.
        """
        settings = EmbeddedSettings(
            Path(path),
            step_modules,
            pipelines_dir,
            services,
            max_executions_in_flight,
            payload_store=payload_store,
        )
        async with cls.over(settings) as embedded:
            yield embedded

    @classmethod
    @asynccontextmanager
    async def over(cls, settings: EmbeddedSettings) -> AsyncIterator["Embedded"]:
        """Open the settings' file as `open` does."""
        _keep_quiet()
        async with AsyncExitStack() as stack:
            node = await stack.enter_async_context(running_node(settings))
            read = in_process(node.model, settings, node.history)
            stack.push_async_callback(read.close)
            yield cls(node, read)

    @classmethod
    def blocking(
        cls, path: Path | str, *, step_modules: Sequence[str] | None = None
    ) -> AbstractContextManager[BlockingSteplog]:
        """Open the file for code without an event loop; executions go on in a thread."""
        return BlockingSteplog.over(cls.open(path, step_modules=step_modules))

    async def applied(self, submitted: Submitted) -> None:
        """Return once a command shows in the rows; raises `CommandWasRefused`."""

        async def taken() -> bool | None:
            outcome = await self.read.command(submitted.command_id)
            if outcome.status == "refused":
                raise CommandWasRefused(outcome.message or "The command was refused.")
            return outcome.status == "applied" or None

        await self._until(submitted.execution_id, taken)

    async def _until_ended(self, execution_id: str) -> ExecutionRecord:
        async def ended() -> ExecutionRecord | None:
            execution = await self.read.execution(execution_id, whole=False)
            return execution if execution.status in FINAL_EXECUTION_STATUSES else None

        return await self._whole(await self._until(execution_id, ended))

    async def _until(
        self, execution_id: str, look: Callable[[], Awaitable[ResultT | None]]
    ) -> ResultT:
        """Look again each time that the execution's rows changed, told here and not by polling."""
        with self.node.tracker.changes_of(execution_id) as changed:
            while True:
                # Before the look: what changes meanwhile must not be missed.
                changed.clear()
                found = await look()
                if found is not None:
                    return found
                await self.node.changed(changed, LOOK_AGAIN_S)


def _keep_quiet() -> None:
    """Log warnings alone where the program says nothing of logs: it did not start a server."""
    if not structlog.is_configured():
        structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
