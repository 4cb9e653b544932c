"""The way of a command from the topic to an execution: decode, deduplicate, hydrate, dispatch.

At least once from the topic, exactly once in effect: a command whose effect is in the log already
is not carried out again. A refusal is a recorded fact with a sentence for people. Nothing that
arrives here ever stops the partition.
"""

import structlog

from executor_service.commands.command_tasks import CommandTasks
from executor_service.commands.delivery import Delivery
from executor_service.commands.dispatcher import CommandDispatcher
from executor_service.commands.hydrator import Hydration, Hydrator
from executor_service.dedupe.deduplicator import Deduplicator
from executor_service.live.partition_context import PartitionContext
from executor_service.ports.command_source import ReceivedRecord
from executor_service.runtime.command_error import refusal_for
from steplog_contracts.codec import decode_command
from steplog_contracts.commands import CancelExecution
from steplog_contracts.errors import SteplogError

_log = structlog.get_logger(__name__)


class CommandIntake:
    """Takes the commands of one partition, in order, while its owner is live."""

    def __init__(
        self,
        context: PartitionContext,
        deduplicator: Deduplicator,
        hydrator: Hydrator,
        dispatcher: CommandDispatcher,
        tasks: CommandTasks,
    ) -> None:
        self._context = context
        self._mark = context.mark
        self._slots = context.executor.slots
        self._deduplicator = deduplicator
        self._hydrator = hydrator
        self._dispatcher = dispatcher
        self.tasks = tasks

    @property
    def free(self) -> int:
        """Return how many more commands may be taken now."""
        return min(self._dispatcher.free, self.tasks.free)

    def take(self, record: ReceivedRecord) -> None:
        """Take one record of the commands topic; whatever it raises, the next one is taken.

        Nothing here awaits, so even a CancelledError or SystemExit is one that a command led to.
        """
        delivery = self._decoded(record)
        if delivery is None:
            return
        try:
            if self._is_new(delivery):
                self._take_up_left(delivery)
                self._hydrate(delivery)
        except BaseException as error:
            self.tasks.refuse(delivery, error)

    def refuse(self, record: ReceivedRecord, error: SteplogError) -> None:
        """Refuse a record without looking into it."""
        self._mark.received(record.offset, self._context.writer.next_offset)
        self.tasks.spawn(record.offset, self._refuse_unreadable(record, error))

    async def put_back(self) -> None:
        """Put the commands that are left to another process behind all others."""
        for offset in await self.tasks.left.put_back(self._context.executor.put_back):
            self._mark.done(offset)

    def close(self) -> None:
        """Drop what is still being written; the commands come again."""
        self._hydrator.close()
        self._dispatcher.close()
        self.tasks.close()

    def _decoded(self, record: ReceivedRecord) -> Delivery | None:
        """Decode a record and open the mark for it; None where it is refused as unreadable."""
        floor = self._context.writer.next_offset
        try:
            sent = decode_command(record.value, record.headers)
        except BaseException as error:
            self.refuse(record, refusal_for(error))
            return None
        handled_at = self._deduplicator.handled_at(sent.command_id)
        self._mark.received(record.offset, floor if handled_at is None else handled_at)
        return Delivery(sent, record.offset, floor, len(record.value or b""))

    def _is_new(self, delivery: Delivery) -> bool:
        """Deduplicate by memory: a repeat follows the first one, another execution's is refused."""
        other = self._deduplicator.other_execution(delivery.command_id, delivery.execution_id)
        if other is not None:
            twin = self.tasks.refusals.refuse_twin(delivery.sent, delivery.offset, other)
            self.tasks.spawn(delivery.offset, twin)
            return False
        if self._deduplicator.handled_at(delivery.command_id) is not None:
            self._dispatcher.follow(delivery)
            return False
        self._deduplicator.handle(delivery.command_id, delivery.floor, delivery.execution_id)
        return True

    def _take_up_left(self, delivery: Delivery) -> None:
        """Dispatch first what was left of the executions that a command is about."""
        for before in self.tasks.left.take_before(delivery.command):
            if isinstance(delivery.command, CancelExecution):
                self._dispatcher.dispatch(before, to_be_ended=True)
            else:  # What it needs may be allowed by now.
                self._hydrate(before)

    def _hydrate(self, delivery: Delivery) -> None:
        """Dispatch a command, at once or when all it needs is here."""
        hydration = self._hydrator.hydration(delivery)
        if hydration is None:
            self._dispatcher.dispatch(delivery)
            return
        self._slots.take()  # So that a flood of these waits in Kafka too.
        task = self.tasks.carry_out(delivery, self._dispatch_late(delivery, hydration))
        task.add_done_callback(lambda _: self._slots.release())
        self._hydrator.keep_order(delivery.execution_id, task)

    async def _dispatch_late(self, delivery: Delivery, hydration: Hydration) -> None:
        whole = await hydration
        if whole is None:
            self._dispatcher.follow(delivery)
        else:
            self._dispatcher.dispatch(whole)

    async def _refuse_unreadable(self, record: ReceivedRecord, error: SteplogError) -> None:
        if not await self.tasks.refusals.refuse_unreadable(record, error):
            await self._context.executor.set_aside(record, str(error))
            partition, offset = self._context.partition, record.offset
            _log.warning("command_set_aside", partition=partition, offset=offset)
