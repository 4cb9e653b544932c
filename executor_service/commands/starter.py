"""How executions of one partition begin: from a definition, or taking over results of another."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from executor_service.admission.concurrency_limits import limits_of, refuse_key_elsewhere
from executor_service.admission.controller import Waiting
from executor_service.commands.command_tasks import CommandTasks
from executor_service.commands.delivery import Delivery
from executor_service.commands.fork import forked
from executor_service.commands.origin_history import OriginHistoryReader
from executor_service.commands.retry import retried
from executor_service.commands.start_event import started_event
from executor_service.commands.start_queue import StartQueue
from executor_service.dedupe.deduplicator import Deduplicator
from executor_service.definitions.blueprint import Blueprint
from executor_service.errors import CommandNotApplicable
from executor_service.live.live_execution import LiveExecution
from executor_service.live.partition_context import PartitionContext
from executor_service.live.payload_loader import restored
from executor_service.live.supervisor import ExecutionSupervisor
from executor_service.log.recovery import RecoveredExecution
from executor_service.payloads.claim_check import ClaimCheck
from steplog_contracts.commands import ForkExecution, RetryExecution, RunPipeline
from steplog_contracts.events import Event, ExecutionStarted
from steplog_contracts.refusal_codes import RefusalCode


class ExecutionStarter:
    """Begins executions, at once or when there is room for them."""

    def __init__(
        self,
        context: PartitionContext,
        executions: ExecutionSupervisor,
        deduplicator: Deduplicator,
        histories: OriginHistoryReader,
        tasks: CommandTasks,
    ) -> None:
        executor = context.executor
        self._partition = context.partition
        self._executor = executor
        self._writer = context.writer
        self._executions = executions
        self._deduplicator = deduplicator
        self._histories = histories
        self._tasks = tasks
        self.room = StartQueue(executor.admission, executor.max_waiting_commands)

    def run(self, delivery: Delivery, command: RunPipeline, *, loads: bool = True) -> None:
        """Begin an execution as soon as there is room; without its code if it is to be ended.

        Raises:
            SteplogError: it can't be begun; nothing waits.
        """
        execution_id, key = command.execution_id, command.concurrency_key
        self._refuse_if_known(execution_id)
        refuse_key_elsewhere(key, self._partition, self._executor.partition_of)
        now = self._executor.clock.now()
        blueprint, started = started_event(
            self._executor.catalogue, delivery.sent, command, now, loads=loads
        )
        self.room.enter(
            execution_id,
            partial(self._begin, delivery, command, blueprint, started),
            offset=delivery.offset,
            size_bytes=delivery.size_bytes,
            priority=command.priority,
            limits=limits_of(started, self._partition),
        )

    async def derive(
        self, delivery: Delivery, command: RetryExecution | ForkExecution
    ) -> LiveExecution:
        """Begin an execution that takes over recorded results of another.

        Raises:
            SteplogError: it can't be begun.
        """
        execution_id, origin_id = command.execution_id, command.origin_execution_id
        self._refuse_if_known(execution_id)
        if isinstance(command, RetryExecution) and origin_id in self._executions:
            raise CommandNotApplicable(
                RefusalCode.NOT_ENDED, f"Execution {origin_id} has not ended; cancel it first."
            )
        self._deduplicator.reserve(execution_id, delivery.command_id)
        try:
            events, claim_check = await self._taken_over(command, delivery.command_id)
        except BaseException:
            self._deduplicator.unreserve(execution_id)
            raise
        async with self._turn(execution_id, events[0]):
            self._deduplicator.begin(execution_id, delivery.command_id, self._writer.next_offset)
            return await self._executions.begin_from(
                execution_id, delivery.command_id, delivery.offset, events, claim_check
            )

    @asynccontextmanager
    async def _turn(self, execution_id: str, started: Event) -> AsyncIterator[None]:
        """Wait for a slot and for the limits; the slot is held until the execution has its own."""
        assert isinstance(started, ExecutionStarted)
        limits = limits_of(started, self._partition)
        slots, admission = self._executor.slots, self._executor.admission
        come: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def begin() -> None:
            slots.take()
            come.set_result(None)

        waiting = Waiting(execution_id, begin, limits=limits)
        admission.ask(waiting)
        try:
            await come
            yield
        finally:
            if come.done() and not come.cancelled():
                slots.release()
            else:
                admission.leave(waiting)
            if execution_id not in self._executions:  # It ended at once, or did not begin.
                for limit in limits:
                    admission.release(limit.name, execution_id)

    def _begin(
        self,
        delivery: Delivery,
        command: RunPipeline,
        blueprint: Blueprint,
        started: ExecutionStarted,
    ) -> LiveExecution:
        execution_id = command.execution_id
        self._deduplicator.begin(execution_id, delivery.command_id, self._writer.next_offset)
        times = (command.not_before, delivery.sent.time)
        live = self._executions.begin(execution_id, blueprint, started, *times)
        live.recorder.expect(delivery.command_id, delivery.offset)
        live.when_refused = partial(self._tasks.refuse, delivery)
        return live

    async def _taken_over(
        self, command: RetryExecution | ForkExecution, command_id: str
    ) -> tuple[list[Event], ClaimCheck]:
        history = await self._histories.read(command.origin_execution_id)
        origin, claim_check = await restored(history, self._executor.payloads)
        events = self._events_of(origin, command, command_id)
        # Who asked for the origin did not ask for this.
        started = events[0].model_copy(update={"requested_by": command.requested_by})
        return [started, *events[1:]], claim_check

    def _events_of(
        self,
        origin: RecoveredExecution,
        command: RetryExecution | ForkExecution,
        command_id: str,
    ) -> list[Event]:
        if isinstance(command, RetryExecution):
            return retried(origin, command, command_id, self._executor.partition_of)
        definition = origin.started.definition
        if definition is None:
            raise CommandNotApplicable(
                RefusalCode.NO_DEFINITION,
                f"Execution {command.origin_execution_id} was recorded without its definition, so "
                "nothing can be begun from it.",
            )
        blueprint = self._executor.catalogue.recorded(definition, origin.started.language)
        return forked(origin, blueprint, command, command_id)

    def _refuse_if_known(self, execution_id: str) -> None:
        if self._executor.partition_of(execution_id) != self._partition:
            raise CommandNotApplicable(
                RefusalCode.WRONG_PARTITION,
                f"Execution {execution_id} belongs to another partition; key the record with the "
                "execution id and use the murmur2 partitioner.",
            )
        known = (
            self._deduplicator.begun_lately(execution_id)
            or execution_id in self._executions
            or execution_id in self.room
        )
        if known:
            raise CommandNotApplicable(
                RefusalCode.DUPLICATE_EXECUTION,
                f"An execution {execution_id} exists already; choose another id.",
            )
