"""Work of one partition's commands that waits: log searches, stored values, refusals to record."""

import asyncio
from collections.abc import Coroutine
from typing import Any, Final

import structlog

from executor_service.commands.delivery import Delivery
from executor_service.commands.left_commands import LeftCommands
from executor_service.commands.refusals import Refusals
from executor_service.definitions.asked_modules import is_left
from executor_service.errors import RecordingLost
from executor_service.live.child_commands import ChildCommands
from executor_service.live.partition_context import PartitionContext
from executor_service.runtime.cancellation import is_own_end
from executor_service.runtime.command_error import refusal_for
from steplog_contracts.commands import ChildEnded
from steplog_contracts.errors import SteplogError

# Beyond so many a partition is not read.
MAX_PENDING_TASKS: Final = 1_000

_log = structlog.get_logger(__name__)


class CommandTasks:
    """Tasks of the commands of one partition; what fails in one refuses its command."""

    def __init__(self, context: PartitionContext) -> None:
        self._partition = context.partition
        self._mark = context.mark
        self.refusals = Refusals(context.writer, context.executor)
        self.left = LeftCommands()
        self._children = ChildCommands(context.executor)
        self.pending: set[asyncio.Task[None]] = set()

    @property
    def free(self) -> int:
        """Return how many more there may be."""
        return max(0, MAX_PENDING_TASKS - len(self.pending))

    def refuse(self, delivery: Delivery, error: BaseException) -> None:
        """Record that a command changes nothing, and why; then it is done."""
        if is_left(error):
            self.left.add(delivery)
        else:
            self.spawn(delivery.offset, self._refused(delivery, error))

    async def tell_refusal(self, delivery: Delivery, refusal: SteplogError) -> None:
        """Tell the parent of an execution that can't begin, if there is one."""
        await self._children.tell_refusal(delivery.command, refusal)

    async def _refused(self, delivery: Delivery, error: BaseException) -> None:
        if isinstance(delivery.command, ChildEnded):
            return  # Nobody waits for that end any more.
        refusal = refusal_for(error)
        await self.refusals.refuse(delivery.sent, delivery.offset, refusal)
        await self.tell_refusal(delivery, refusal)

    def spawn(self, offset: int, work: Coroutine[Any, Any, None]) -> None:
        """Begin work that waits, after which the command needs nothing more."""
        self._begin(offset, work, done=True)

    def carry_out(self, delivery: Delivery, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Begin a command's own work; the command is refused if that fails."""
        return self._begin(delivery.offset, self._carried_out(delivery, work), done=False)

    async def _carried_out(self, delivery: Delivery, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except RecordingLost:
            raise
        except BaseException as error:
            if is_own_end(error):
                raise
            if is_left(error):
                self.left.add(delivery)
            else:
                await self._refused(delivery, error)
                self._mark.done(delivery.offset)

    def close(self) -> None:
        """Drop everything: the commands come again."""
        for task in self.pending:
            task.cancel()

    def _begin(
        self, offset: int, work: Coroutine[Any, Any, None], *, done: bool
    ) -> asyncio.Task[None]:
        task = asyncio.create_task(self._run(offset, work, done=done))
        self.pending.add(task)
        task.add_done_callback(self.pending.discard)
        return task

    async def _run(self, offset: int, work: Coroutine[Any, Any, None], *, done: bool) -> None:
        try:
            await work
        except RecordingLost:
            return  # The next owner is given the command again.
        except Exception:  # It could not even be refused: the next owner is given it again.
            _log.exception("command_unanswered", partition=self._partition, offset=offset)
            return
        if done:
            self._mark.done(offset)
