"""What a command waits for before it can be carried out: the log's proof that it is new, the values
stored apart from it and from its execution, and earlier commands for the same execution."""

import asyncio
from collections.abc import Coroutine
from functools import partial
from typing import Any

from executor_service.commands.delivery import Delivery
from executor_service.dedupe.deduplicator import Deduplicator, repeated
from executor_service.dedupe.log_search import LogSearch, Question
from executor_service.live.partition_context import PartitionContext
from executor_service.live.supervisor import ExecutionSupervisor
from executor_service.payloads.claim_check import with_values

Hydration = Coroutine[Any, Any, Delivery | None]


class Hydrator:
    """Completes the commands of one partition; those for one execution keep their order."""

    def __init__(
        self,
        context: PartitionContext,
        executions: ExecutionSupervisor,
        deduplicator: Deduplicator,
        lookups: LogSearch,
    ) -> None:
        self._payloads = context.executor.payloads
        self._executions = executions
        self._deduplicator = deduplicator
        self._lookups = lookups
        self._late: dict[str, asyncio.Task[None]] = {}

    def hydration(self, delivery: Delivery) -> Hydration | None:
        """Return what completes a command, or None where it can be carried out as it is."""
        execution_id = delivery.execution_id
        question = self._deduplicator.question(delivery.sent)
        before = self._late.get(execution_id)
        is_large = delivery.size_bytes > self._payloads.max_inline_bytes
        waits = question or before or is_large or delivery.command.references
        if not waits and not self._executions.arriving(execution_id):
            return None
        return self._hydrated(delivery, question, before)

    def keep_order(self, execution_id: str, task: asyncio.Task[None]) -> None:
        """Have later commands for an execution wait for the task that carries this one out."""
        self._late[execution_id] = task
        task.add_done_callback(partial(self._forget, execution_id))

    def close(self) -> None:
        """Search the log no more."""
        self._lookups.close()

    async def _hydrated(
        self, delivery: Delivery, question: Question | None, before: asyncio.Task[None] | None
    ) -> Delivery | None:
        """Return the command with its values in place; None where it is a repeat of itself.

        Raises:
            CommandNotApplicable: its effect is in the log already, by another command.
            SteplogError: a value can't be had.
        """
        if before is not None:
            await asyncio.wait([before])
        found = None if question is None else await self._lookups.ask(question)
        if found is not None and found.command_offset == delivery.offset:
            return None
        if found is not None:
            raise repeated(delivery.sent, found)
        if self._executions.arriving(delivery.execution_id):
            await self._executions.arrived(delivery.execution_id)
        return delivery.with_command(await with_values(delivery.command, self._payloads))

    def _forget(self, execution_id: str, task: asyncio.Task[None]) -> None:
        if self._late.get(execution_id) is task:
            del self._late[execution_id]
