"""What happens to a command that arrives: begun, passed on, recognised as a repeat, or refused.

At least once from the topic, exactly once in effect: a command whose effect is in the log already
is not carried out again. A refusal is a recorded fact with a sentence for people. Nothing that
arrives here ever stops the partition.
"""

import asyncio
from dataclasses import replace
from functools import partial

import structlog

from executor_service.commands.errands import MAX_ERRANDS, Errands
from executor_service.commands.left_commands import LeftCommands
from executor_service.commands.origin_history import Histories
from executor_service.commands.refusals import Refusals, told
from executor_service.commands.starter import Beginning
from executor_service.dedupe.deduplicator import CommandMemory, repeated
from executor_service.dedupe.log_search import Lookups, Question
from executor_service.definitions.asked_modules import is_left
from executor_service.errors import CommandNotApplicable, RecordingLost
from executor_service.live.live_execution import LiveExecution
from executor_service.live.partition_context import PartitionContext
from executor_service.live.supervisor import LiveExecutions
from executor_service.payloads.claim_check import with_values
from executor_service.ports.command_source import ReceivedRecord
from executor_service.runtime.cancellation import is_own_end
from steplog_contracts.codec import decode_command
from steplog_contracts.commands import (
    CancelExecution,
    ForkExecution,
    ResumeExecution,
    RetryExecution,
    RunPipeline,
)
from steplog_contracts.envelope import SentCommand
from steplog_contracts.errors import SteplogError
from steplog_contracts.refusal_codes import RefusalCode

_log = structlog.get_logger(__name__)


class CommandDesk:
    """Takes the commands of one partition, in order, while its owner is live."""

    def __init__(
        self,
        context: PartitionContext,
        executions: LiveExecutions,
        memory: CommandMemory,
        lookups: Lookups,
        histories: Histories,
    ) -> None:
        self._partition = context.partition
        self._workplace = context.executor
        self._writer = context.writer
        self._mark = context.mark
        self._executions = executions
        self._refusals = Refusals(context.writer, context.executor)
        self._memory = memory
        self._lookups = lookups
        self.errands = Errands(context.partition, context.mark)
        self._late: dict[str, asyncio.Task[None]] = {}
        self._left = LeftCommands()
        self._beginning = Beginning(context, executions, memory, histories, self._refuse)
        self._room = self._beginning.room

    @property
    def free(self) -> int:
        """Return how many more commands may be taken now."""
        return min(
            self._room.free(self._mark.next_command), max(0, MAX_ERRANDS - len(self.errands))
        )

    def take(self, record: ReceivedRecord) -> None:
        """Take one record of the commands topic; whatever it raises, the next one is taken.

        Nothing here awaits, so even a CancelledError or SystemExit is one that a command led to.
        """
        floor = self._writer.next_offset
        try:
            sent = decode_command(record.value, record.headers)
        except BaseException as error:
            self._mark.received(record.offset, floor)
            self.errands.begin(record.offset, self._refuse_unreadable(record, told(error)))
            return
        handled_at = self._memory.handled_at(sent.command_id)
        self._mark.received(record.offset, floor if handled_at is None else handled_at)
        try:
            self._take_readable(record, sent, handled_at, floor)
        except BaseException as error:
            self._refuse(sent, record.offset, error)

    def _take_readable(
        self, record: ReceivedRecord, sent: SentCommand, handled_at: int | None, floor: int
    ) -> None:
        execution_id = sent.command.execution_id
        other = self._memory.other_execution(sent.command_id, execution_id)
        if other is not None:
            twin = self._refusals.refuse_twin(sent, record.offset, other)
            self.errands.begin(record.offset, twin)
        elif handled_at is None:
            self._memory.handle(sent.command_id, floor, execution_id)
            for offset, before in self._left.take_before(sent.command):
                if isinstance(sent.command, CancelExecution):
                    self._carry_out(offset, before, 0, to_be_ended=True)
                else:  # What it needs may be allowed by now.
                    self._wait_or_carry_out(offset, before, 0)
            self._wait_or_carry_out(record.offset, sent, len(record.value or b""))
        else:
            self._recognise(record.offset, sent)

    def refuse(self, record: ReceivedRecord, error: SteplogError) -> None:
        """Refuse a record without looking into it."""
        self._mark.received(record.offset, self._writer.next_offset)
        self.errands.begin(record.offset, self._refuse_unreadable(record, error))

    def close(self) -> None:
        """Drop what is still being written; the commands come again."""
        self._lookups.close()
        self._room.close()
        self.errands.close()

    def _wait_or_carry_out(self, offset: int, sent: SentCommand, size_bytes: int) -> None:
        """Carry a command out now, or once it is known to be new and the values it needs are there;
        commands for one execution keep their order."""
        execution_id = sent.command.execution_id
        question = self._memory.question(sent)
        before = self._late.get(execution_id)
        is_large = size_bytes > self._workplace.payloads.max_inline_bytes
        waits = question or before or is_large or sent.command.references
        if not waits and not self._executions.arriving(execution_id):
            self._carry_out(offset, sent, size_bytes)
            return
        self._workplace.slots.take()  # So that a flood of these waits in Kafka too.
        late = self._carry_out_late(offset, sent, size_bytes, before, question)
        errand = self.errands.begin(offset, late, done=False)
        self._late[execution_id] = errand
        errand.add_done_callback(partial(self._no_longer_late, execution_id))

    async def _carry_out_late(
        self,
        offset: int,
        sent: SentCommand,
        size_bytes: int,
        before: asyncio.Task[None] | None,
        question: Question | None,
    ) -> None:
        try:
            if before is not None:
                await asyncio.wait([before])
            found = None if question is None else await self._lookups.ask(question)
            if found is not None and found.command_offset == offset:
                self._recognise(offset, sent)
                return
            if found is not None:
                raise repeated(sent, found)
            await self._executions.arrived(sent.command.execution_id)
            command = await with_values(sent.command, self._workplace.payloads)
        except RecordingLost:
            raise
        except BaseException as error:
            if is_own_end(error):
                raise
            await self._answer(sent, offset, error)
        else:
            self._carry_out(offset, replace(sent, command=command), size_bytes)

    def _no_longer_late(self, execution_id: str, errand: asyncio.Task[None]) -> None:
        self._workplace.slots.release()
        if self._late.get(execution_id) is errand:
            del self._late[execution_id]

    def _carry_out(
        self, offset: int, sent: SentCommand, size_bytes: int, *, to_be_ended: bool = False
    ) -> None:
        command = sent.command
        try:
            if self._left.is_before(command):
                self._left.add(offset, sent)
                return
            match command:
                case RetryExecution() | ForkExecution():
                    self.errands.begin(offset, self._derive(offset, sent, command), done=False)
                case RunPipeline():
                    self._beginning.run(sent, command, offset, size_bytes, loads=not to_be_ended)
                    self._when_settled(offset, command.execution_id)
                case CancelExecution() | ResumeExecution():
                    self._change(sent, command, offset)
                case _:
                    text = f"This executor does not carry out {command.command_type} yet."
                    raise CommandNotApplicable(RefusalCode.UNSUPPORTED_COMMAND, text)
        except BaseException as error:  # As in `take`: nothing here awaits.
            self._refuse(sent, offset, error)

    def _change(
        self, sent: SentCommand, command: CancelExecution | ResumeExecution, offset: int
    ) -> None:
        """Pass a command on to an execution that has not ended."""
        if isinstance(command, CancelExecution):
            live = self._running(command.execution_id, to_be_ended=True)
            live.execution.cancel(command.reason, command.requested_by, sent.command_id)
        else:
            live = self._running(command.execution_id)
            live.execution.resume(
                command.step_id, command.human_input, command.requested_by, sent.command_id,
                for_anyone=command.any_assignee,
            )  # fmt: skip
        self._memory.carry_out(sent.command_id, self._writer.next_offset)
        live.recorder.expect(sent.command_id, offset)
        self._executions.go_on(live)
        live.when_settled.append(partial(self._mark.done, offset))

    async def _derive(
        self, offset: int, sent: SentCommand, command: RetryExecution | ForkExecution
    ) -> None:
        try:
            live = await self._beginning.derive(sent, command, offset)
        except RecordingLost:
            raise
        except BaseException as error:
            if is_own_end(error):
                raise
            await self._answer(sent, offset, error)
        else:
            if live is not None:
                live.when_settled.append(partial(self._mark.done, offset))

    def _refuse(self, sent: SentCommand, offset: int, error: BaseException) -> None:
        if is_left(error):
            self._left.add(offset, sent)
        else:
            self.errands.begin(offset, self._answer(sent, offset, error), done=False)

    async def _answer(self, sent: SentCommand, offset: int, error: BaseException) -> None:
        if is_left(error):
            self._left.add(offset, sent)
        else:
            await self._refusals.refuse(sent, offset, told(error))
            self._mark.done(offset)

    async def put_back(self) -> None:
        """Put the commands that are left to another process behind all others."""
        for offset in await self._left.put_back(self._workplace.put_back):
            self._mark.done(offset)

    def _running(self, execution_id: str, *, to_be_ended: bool = False) -> LiveExecution:
        live = self._executions.take_up(execution_id, to_be_ended=to_be_ended)
        if live is not None:
            return live
        if execution_id in self._room:
            if to_be_ended:  # Recorded as begun and cancelled: what became of it can be seen.
                return self._room.begin_now(execution_id)
            raise CommandNotApplicable(
                RefusalCode.NOT_STARTED,
                f"Execution {execution_id} has not started; no step of it waits.",
            )
        if self._memory.begun(execution_id):
            text = f"Execution {execution_id} has ended and stays as it is; retry or fork it."
            raise CommandNotApplicable(RefusalCode.EXECUTION_ENDED, text)
        raise CommandNotApplicable(
            RefusalCode.UNKNOWN_EXECUTION,
            f"No execution {execution_id} runs or waits here; check the id with steplog ls.",
        )

    def _recognise(self, offset: int, sent: SentCommand) -> None:
        """A command that came before: done with once its execution has ended or is parked."""
        self._when_settled(offset, sent.command.execution_id)

    def _when_settled(self, offset: int, execution_id: str) -> None:
        """Be done with a command once its execution has ended or is parked."""
        settling = self._executions.settling(execution_id)
        if settling is None:
            settling = self._room.settling(execution_id)
        if settling is None:
            self._mark.done(offset)
        else:
            settling.append(partial(self._mark.done, offset))

    async def _refuse_unreadable(self, record: ReceivedRecord, error: SteplogError) -> None:
        if not await self._refusals.refuse_unreadable(record, error):
            await self._workplace.set_aside(record, str(error))
            _log.warning("command_set_aside", partition=self._partition, offset=record.offset)
