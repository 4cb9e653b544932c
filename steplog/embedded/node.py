"""The composition root of embedded mode: a file in, a running executor and tracker out."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from executor_service import ServiceRegistry
from executor_service.adapters.embedded.command_source import EmbeddedCommandSource
from executor_service.adapters.embedded.event_log import EmbeddedEventLog
from executor_service.adapters.embedded.file import EmbeddedFile
from executor_service.adapters.kafka.step_records import sender_of_environment
from executor_service.admission.slots import ExecutionSlots
from executor_service.context import ExecutorContext
from executor_service.definitions.catalogue import DefinitionCatalogue
from executor_service.definitions.step_loader import Allowlist
from executor_service.partition.consumer import CommandConsumer
from executor_service.payloads.client import Payloads
from executor_service.runtime.guarded_loop import guard_loop
from executor_service.steps.kafka_record import RECORDS
from steplog.embedded.history import EmbeddedHistory
from steplog.embedded.settings import COMMIT_INTERVAL_S, EmbeddedSettings
from steplog.embedded.tail import EventTail
from tracker_service.projector.embedded_tracker import TailingTracker
from tracker_service.store.sqlite import SqliteReadModel, SqliteStore


class Node:
    """Everything that runs on one file in this process."""

    def __init__(self, settings: EmbeddedSettings, file: EmbeddedFile, store: SqliteStore) -> None:
        self.settings = settings
        self.file = file
        self.tracker = TailingTracker(store, settings.topics.events.name, EventTail(file))
        self.model = SqliteReadModel(settings.path)
        self.history = EmbeddedHistory(file.reader)
        self._source = EmbeddedCommandSource(file, topic_name=settings.topics.commands.name)
        self._context = _context(settings, self._source)
        self._consumer = CommandConsumer(
            self._source,
            EmbeddedEventLog(file, "events"),
            EmbeddedEventLog(file, "parked"),
            EmbeddedEventLog(file, "seen"),
            self._context,
            commit_interval_s=COMMIT_INTERVAL_S,
        )
        self._stopping = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def trouble(self) -> str | None:
        """Return what keeps commands from being carried out; None: nothing."""
        return self._consumer.trouble

    @property
    def payloads(self) -> Payloads:
        """Return the way to values too large for an event."""
        return self._context.payloads

    @property
    def catalogue(self) -> DefinitionCatalogue:
        """Return the definitions that may be named here."""
        return self._context.catalogue

    @property
    def topic(self) -> str:
        """Return the name of the events topic in answers and rows."""
        return self.settings.topics.events.name

    @property
    def is_idle(self) -> bool:
        """Say whether all that was recorded is on the disk and in the rows."""
        return self.file.is_idle and self.tracker.is_caught_up

    async def start(self) -> None:
        """Go on with what the file holds, and take commands."""
        guard_loop()
        await self.model.open()
        await self.tracker.start()
        await self._source.start(self._consumer)
        self._tasks = [
            asyncio.create_task(self._consumer.run(self._stopping), name="executor"),
            asyncio.create_task(self.tracker.run(), name="tracker"),
        ]

    async def ended(self) -> None:
        """Return never, or raise what ended the executor or the tracker."""
        done, _ = await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            _raise_first(task)

    async def changed(self, changed: asyncio.Event, longest_s: float) -> None:
        """Return when the event is set or time is up; raise what keeps rows from changing."""
        waiting = asyncio.create_task(changed.wait())
        try:
            await asyncio.wait(
                [waiting, *self._tasks], timeout=longest_s, return_when=asyncio.FIRST_COMPLETED
            )
        finally:
            waiting.cancel()
        for task in self._tasks:
            if task.done():
                _raise_first(task)

    async def stop(self) -> None:
        """Let running steps finish for a while, put everything into the rows, and end."""
        self._stopping.set()
        executor, tracker = self._tasks
        await asyncio.gather(executor, return_exceptions=True)  # `ended` tells what it ended with.
        await self._consumer.stop(self.settings.shutdown_grace_s)
        tracker.cancel()
        await asyncio.wait([tracker])
        if self.file.failure is None:
            await self.tracker.catch_up()
        await self.model.close()
        await self._context.services.cleanup_all()


@asynccontextmanager
async def running_node(settings: EmbeddedSettings) -> AsyncIterator[Node]:
    """Yield what runs on the file; nothing of it is left running afterwards.

    Raises:
        FileRefused: the file is held by another process or can't be used.
        StoreRefused: its rows are of another version.
    """
    async with AsyncExitStack() as stack:
        file = await stack.enter_async_context(settings.open_file(settings.path))
        store = SqliteStore(settings.path, turn=file.turn)
        await store.open()
        stack.push_async_callback(store.close)
        node = Node(settings, file, store)
        await node.start()
        stack.push_async_callback(node.stop)
        yield node


def _context(settings: EmbeddedSettings, source: EmbeddedCommandSource) -> ExecutorContext:
    modules = settings.step_modules
    allowlist = settings.asked or (
        Allowlist.everything() if modules is None else Allowlist(modules)
    )
    services = settings.services or ServiceRegistry()
    sender = sender_of_environment()
    if sender is not None:
        services.register(RECORDS, sender)
    return ExecutorContext(
        instance=f"embedded-{os.getpid()}",
        catalogue=settings.catalogue(allowlist, settings.pipelines_dir),
        slots=ExecutionSlots(settings.max_executions_in_flight),
        clock=settings.clock,
        services=services,
        set_aside=source.set_aside,
        send=source.send,
        put_back=source.put_back,
        partition_of=lambda _execution_id: 0,
        payloads=settings.payloads,
    )


def _raise_first(task: asyncio.Task[None]) -> None:
    """Raise what a task ended with; of a group of errors the first, which tells the cause."""
    error = task.exception()
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    if error is not None:
        raise error
