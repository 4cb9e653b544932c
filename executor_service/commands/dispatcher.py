"""Carries commands out: begins an execution, or changes one that has not ended."""

from executor_service.commands.child_ends import REFUSED_BEFORE, may_have_been_refused, pass_end
from executor_service.commands.command_tasks import CommandTasks
from executor_service.commands.delivery import Delivery
from executor_service.commands.origin_history import OriginHistoryReader
from executor_service.commands.starter import ExecutionStarter
from executor_service.dedupe.deduplicator import Deduplicator
from executor_service.errors import CommandNotApplicable
from executor_service.live.live_execution import LiveExecution
from executor_service.live.partition_context import PartitionContext
from executor_service.live.supervisor import ExecutionSupervisor
from steplog_contracts.commands import (
    CancelExecution,
    ChildEnded,
    ForkExecution,
    ResumeExecution,
    RetryExecution,
    RunPipeline,
)
from steplog_contracts.refusal_codes import RefusalCode


class CommandDispatcher:
    """Carries out the commands of one partition; a command is done when its execution rests."""

    def __init__(
        self,
        context: PartitionContext,
        executions: ExecutionSupervisor,
        deduplicator: Deduplicator,
        histories: OriginHistoryReader,
        tasks: CommandTasks,
    ) -> None:
        self._writer = context.writer
        self._mark = context.mark
        self._executions = executions
        self._deduplicator = deduplicator
        self._tasks = tasks
        self._starter = ExecutionStarter(context, executions, deduplicator, histories, tasks)
        self._room = self._starter.room

    @property
    def free(self) -> int:
        """Return how many more commands may wait to begin."""
        return self._room.free(self._mark.next_command)

    def close(self) -> None:
        """Let nothing that waits begin."""
        self._room.close()

    def dispatch(self, delivery: Delivery, *, to_be_ended: bool = False) -> None:
        """Carry a command out; what can't be is refused, or left to another process.

        Nothing here awaits, so even a CancelledError is one that the command led to.
        """
        try:
            if self._tasks.left.is_before(delivery.command):
                self._tasks.left.add(delivery)
                return
            match delivery.command:
                case RetryExecution() | ForkExecution() as command:
                    self._tasks.carry_out(delivery, self._derive(delivery, command))
                case RunPipeline() as command:
                    self._starter.run(delivery, command, loads=not to_be_ended)
                    self.follow(delivery)
                case CancelExecution() | ResumeExecution() | ChildEnded() as command:
                    self._change(delivery, command)
                case other:
                    text = f"This executor does not carry out {other.command_type} yet."
                    raise CommandNotApplicable(RefusalCode.UNSUPPORTED_COMMAND, text)
        except BaseException as error:
            self._tasks.refuse(delivery, error)

    def follow(self, delivery: Delivery) -> None:
        """Be done with a command once its execution has ended or is parked."""
        commands = self._executions.commands_of(delivery.execution_id)
        if commands is None:
            commands = self._room.commands_of(delivery.execution_id)
        if commands is not None:
            commands.append(delivery.offset)
        elif self._is_refused_child(delivery):
            self._tasks.spawn(delivery.offset, self._tasks.tell_refusal(delivery, REFUSED_BEFORE))
        else:
            self._mark.done(delivery.offset)

    def _is_refused_child(self, delivery: Delivery) -> bool:
        """Say whether it neither runs, nor waits, nor ever began, and a parent waits for it."""
        may = may_have_been_refused(delivery.command)
        return may and not self._deduplicator.begun(delivery.execution_id)

    def _change(
        self, delivery: Delivery, command: CancelExecution | ResumeExecution | ChildEnded
    ) -> None:
        """Pass a command on to an execution that has not ended."""
        if isinstance(command, CancelExecution):
            live = self._running(command.execution_id, to_be_ended=True)
            asked = (command.reason, command.requested_by, delivery.command_id)
            live.execution.cancel(*asked, compensate=command.compensate)
        elif isinstance(command, ChildEnded):
            live = self._running(command.execution_id)
            pass_end(live.execution, command, delivery.command_id)
        else:
            live = self._running(command.execution_id)
            live.execution.resume(
                command.step_id, command.human_input, command.requested_by, delivery.command_id,
                for_anyone=command.any_assignee,
            )  # fmt: skip
        self._deduplicator.carry_out(delivery.command_id, self._writer.next_offset)
        live.recorder.expect(delivery.command_id, delivery.offset)
        live.commands.append(delivery.offset)
        self._executions.resume_run(live)

    async def _derive(self, delivery: Delivery, command: RetryExecution | ForkExecution) -> None:
        live = await self._starter.derive(delivery, command)
        live.commands.append(delivery.offset)

    def _running(self, execution_id: str, *, to_be_ended: bool = False) -> LiveExecution:
        live = self._executions.rehydrate(execution_id, to_be_ended=to_be_ended)
        if live is not None:
            return live
        if execution_id in self._room:
            if to_be_ended:  # Recorded as begun and cancelled: what became of it can be seen.
                return self._room.begin_now(execution_id)
            raise CommandNotApplicable(
                RefusalCode.NOT_STARTED,
                f"Execution {execution_id} has not started; no step of it waits.",
            )
        if self._deduplicator.begun(execution_id):
            text = f"Execution {execution_id} has ended and stays as it is; retry or fork it."
            raise CommandNotApplicable(RefusalCode.EXECUTION_ENDED, text)
        raise CommandNotApplicable(
            RefusalCode.UNKNOWN_EXECUTION,
            f"No execution {execution_id} runs or waits here; check the id with steplog ls.",
        )
