"""Commands that this process leaves to another one: not carried out, not refused, not lost.

They stay uncommitted, so a crash brings them again. At a stop they are put back behind all others,
so that they don't hold the commit point of those.
"""

from collections.abc import Awaitable, Callable, Sequence

from executor_service.commands.delivery import Delivery
from executor_service.errors import CommandNotApplicable
from steplog_contracts.commands import Command, ForkExecution, RetryExecution, RunPipeline
from steplog_contracts.refusal_codes import RefusalCode

PutBack = Callable[[Sequence[int]], Awaitable[None]]


class LeftCommands:
    """What was left in one partition, by offset and in the order it came."""

    def __init__(self) -> None:
        self._left: list[Delivery] = []

    def add(self, delivery: Delivery) -> None:
        """Leave a command; what comes for its execution later has to wait for it."""
        self._left.append(delivery)

    def take_before(self, command: Command) -> list[Delivery]:
        """Take out what was left of the executions that a command is about."""
        if not self._left:
            return []
        about = _executions(command)
        found = [one for one in self._left if about & _executions(one.command)]
        self._left = [one for one in self._left if not about & _executions(one.command)]
        return found

    def is_before(self, command: Command) -> bool:
        """Say whether something was left that a command has to wait for.

        Raises:
            CommandNotApplicable: it would begin an execution that a left command begins.
        """
        if not self._left:
            return False
        about = _executions(command)
        is_before = any(about & _executions(left.command) for left in self._left)
        if is_before and isinstance(command, RunPipeline):
            raise CommandNotApplicable(
                RefusalCode.DUPLICATE_EXECUTION,
                f"An execution {command.execution_id} waits to be begun; choose another id.",
            )
        return is_before

    async def put_back(self, put_back: PutBack | None) -> Sequence[int]:
        """Put everything back and return the offsets where it stood."""
        offsets = sorted(left.offset for left in self._left)
        self._left.clear()
        if not offsets or put_back is None:
            return ()
        await put_back(offsets)
        return offsets


def _executions(command: Command) -> set[str]:
    ids = {command.execution_id}
    if isinstance(command, RetryExecution | ForkExecution):
        ids.add(command.origin_execution_id)
    return ids
