"""What happens to a command that arrives: begun, passed on, recognised as a repeat, or refused.

At least once from the topic, exactly once in effect: a command whose effect is in the log already
is not carried out again. A refusal is a recorded fact with a sentence for people. Nothing that
arrives here ever stops the partition.
"""

import asyncio
from collections.abc import Coroutine
from dataclasses import replace
from functools import partial
from typing import Any

import structlog

from contracts.codec import decode_command
from contracts.commands import (
    CancelExecution,
    Command,
    ForkExecution,
    ResumeExecution,
    RetryExecution,
    RunPipeline,
)
from contracts.envelope import SentCommand
from contracts.errors import ContractError, SteplogError
from contracts.events import Event
from executor_service.arrivals import restored
from executor_service.claim_check import with_values
from executor_service.command_memory import CommandMemory, repeated
from executor_service.command_source import ReceivedRecord
from executor_service.errors import CommandNotApplicable, RecordingLost
from executor_service.forking import forked
from executor_service.histories import Histories
from executor_service.live_execution import LiveExecution
from executor_service.live_executions import LiveExecutions
from executor_service.lookups import Lookups, Question
from executor_service.low_water_mark import LowWaterMark
from executor_service.partition_writer import PartitionWriter
from executor_service.recovery import RecoveredExecution
from executor_service.refusals import Refusals
from executor_service.retrying import retried
from executor_service.starting import started_event
from executor_service.workplace import Workplace

_log = structlog.get_logger(__name__)


class CommandDesk:
    """Takes the commands of one partition, in order, while its owner is live."""

    def __init__(
        self,
        partition: int,
        *,
        workplace: Workplace,
        writer: PartitionWriter,
        mark: LowWaterMark,
        executions: LiveExecutions,
        memory: CommandMemory,
        lookups: Lookups,
        histories: Histories,
    ) -> None:
        self._partition = partition
        self._workplace = workplace
        self._writer = writer
        self._mark = mark
        self._executions = executions
        self._histories = histories
        self._refusals = Refusals(writer, workplace)
        self._memory = memory
        self._lookups = lookups
        self._errands: set[asyncio.Task[None]] = set()
        self._late: dict[str, asyncio.Task[None]] = {}

    def take(self, record: ReceivedRecord) -> None:
        """Take one record of the commands topic."""
        floor = self._writer.next_offset
        try:
            sent = decode_command(record.value, record.headers)
        except ContractError as error:
            self._mark.received(record.offset, floor)
            self._errand(record.offset, self._refuse_unreadable(record, error))
            return
        handled_at = self._memory.handled_at(sent.command_id)
        self._mark.received(record.offset, floor if handled_at is None else handled_at)
        if handled_at is None:
            self._memory.handle(sent.command_id, floor)
            self._wait_or_carry_out(record.offset, sent, len(record.value or b""))
        else:
            self._recognise(record.offset, sent)

    def close(self) -> None:
        """Drop what is still being written; the commands come again."""
        self._lookups.close()
        for errand in self._errands:
            errand.cancel()

    def _wait_or_carry_out(self, offset: int, sent: SentCommand, size_bytes: int) -> None:
        """Carry a command out now, or once it is known to be new and the values it needs are there;
        commands for one execution keep their order."""
        execution_id = sent.command.execution_id
        question = self._memory.question(sent)
        before = self._late.get(execution_id)
        is_large = size_bytes > self._workplace.payloads.max_inline_bytes
        waits = question or before or is_large or sent.command.references
        if not waits and not self._executions.arriving(execution_id):
            self._carry_out(offset, sent)
            return
        self._workplace.slots.take()  # So that a flood of these waits in Kafka too.
        late = self._carry_out_late(offset, sent, before, question)
        errand = self._errand(offset, late, done=False)
        self._late[execution_id] = errand
        errand.add_done_callback(partial(self._no_longer_late, execution_id))

    async def _carry_out_late(
        self,
        offset: int,
        sent: SentCommand,
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
        except SteplogError as error:
            await self._refusals.refuse(sent, offset, error)
            self._mark.done(offset)
        else:
            self._carry_out(offset, replace(sent, command=command))

    def _no_longer_late(self, execution_id: str, errand: asyncio.Task[None]) -> None:
        self._workplace.slots.release()
        if self._late.get(execution_id) is errand:
            del self._late[execution_id]

    def _carry_out(self, offset: int, sent: SentCommand) -> None:
        if isinstance(sent.command, RetryExecution | ForkExecution):
            self._errand(offset, self._derive(offset, sent, sent.command), done=False)
            return
        try:
            live = self._apply(sent, sent.command, offset)
        except SteplogError as error:
            self._refuse(sent, offset, error)
        else:
            live.when_settled.append(partial(self._mark.done, offset))

    def _apply(self, sent: SentCommand, command: Command, offset: int) -> LiveExecution:
        match command:
            case RunPipeline():
                return self._run(sent, command, offset)
            case CancelExecution():
                live = self._running(command.execution_id)
                live.execution.cancel(command.reason, command.requested_by, sent.command_id)
            case ResumeExecution():
                live = self._running(command.execution_id)
                live.execution.resume(
                    command.step_id, command.human_input, command.requested_by, sent.command_id
                )
            case _:
                raise CommandNotApplicable(
                    "unsupported_command",
                    f"This executor does not carry out {command.command_type} yet.",
                )
        self._memory.carry_out(sent.command_id, self._writer.next_offset)
        live.recorder.expect(sent.command_id, offset)
        self._executions.go_on(live)
        return live

    async def _derive(
        self, offset: int, sent: SentCommand, command: RetryExecution | ForkExecution
    ) -> None:
        """Begin an execution that takes over recorded results of another."""
        execution_id = command.execution_id
        try:
            self._refuse_if_known(execution_id)
            self._memory.reserve(execution_id, sent.command_id)
            try:
                history = await self._histories.read(command.origin_execution_id)
                origin, claim_check = await restored(history, self._workplace.payloads)
                events = self._taken_over(origin, command, sent.command_id)
            except SteplogError:
                self._memory.unreserve(execution_id)
                raise
            self._memory.begin(execution_id, sent.command_id, self._writer.next_offset)
            live = await self._executions.begin_from(
                execution_id, sent.command_id, offset, events, claim_check
            )
        except RecordingLost:
            raise
        except SteplogError as error:
            await self._refusals.refuse(sent, offset, error)
            self._mark.done(offset)
        else:
            if live is not None:
                live.when_settled.append(partial(self._mark.done, offset))

    def _taken_over(
        self,
        origin: RecoveredExecution,
        command: RetryExecution | ForkExecution,
        command_id: str,
    ) -> list[Event]:
        if isinstance(command, RetryExecution):
            events = retried(origin, command.execution_id, command_id)
        else:
            assert origin.started.definition is not None
            blueprint = self._workplace.catalogue.inline(origin.started.definition)
            events = forked(origin, blueprint, command, command_id)
        # Who asked for the origin did not ask for this.
        started = events[0].model_copy(update={"requested_by": command.requested_by})
        return [started, *events[1:]]

    def _run(self, sent: SentCommand, command: RunPipeline, offset: int) -> LiveExecution:
        execution_id = command.execution_id
        self._refuse_if_known(execution_id)
        blueprint, started = started_event(self._workplace.catalogue, sent, command)
        self._memory.begin(execution_id, sent.command_id, self._writer.next_offset)
        live = self._executions.begin(execution_id, blueprint, started, command.not_before)
        live.recorder.expect(sent.command_id, offset)
        live.when_refused = partial(self._refuse, sent, offset)
        return live

    def _refuse(self, sent: SentCommand, offset: int, error: SteplogError) -> None:
        self._errand(offset, self._refusals.refuse(sent, offset, error))

    def _refuse_if_known(self, execution_id: str) -> None:
        if self._workplace.partition_of(execution_id) != self._partition:
            raise CommandNotApplicable(
                "wrong_partition",
                f"Execution {execution_id} belongs to another partition; key the record with the "
                "execution id and use the murmur2 partitioner.",
            )
        if self._memory.begun_lately(execution_id) or execution_id in self._executions:
            raise CommandNotApplicable(
                "duplicate_execution",
                f"An execution {execution_id} exists already; choose another id.",
            )

    def _running(self, execution_id: str) -> LiveExecution:
        live = self._executions.take_up(execution_id)
        if live is not None:
            return live
        if self._memory.begun(execution_id):
            raise CommandNotApplicable(
                "execution_ended", f"Execution {execution_id} has ended; nothing can change it."
            )
        raise CommandNotApplicable(
            "unknown_execution", f"No execution {execution_id} is running; check the id."
        )

    def _recognise(self, offset: int, sent: SentCommand) -> None:
        """A command that came before: done with once its execution has ended or is parked."""
        settling = self._executions.settling(sent.command.execution_id)
        if settling is None:
            self._mark.done(offset)
        else:
            settling.append(partial(self._mark.done, offset))

    async def _refuse_unreadable(self, record: ReceivedRecord, error: ContractError) -> None:
        if not await self._refusals.refuse_unreadable(record, error):
            await self._workplace.set_aside(record, str(error))
            _log.warning("command_set_aside", partition=self._partition, offset=record.offset)

    def _errand(
        self, offset: int, work: Coroutine[Any, Any, None], *, done: bool = True
    ) -> asyncio.Task[None]:
        """Do something that waits; with `done` the command needs no more work afterwards."""
        errand = asyncio.create_task(self._see_through(offset, work, done=done))
        self._errands.add(errand)
        errand.add_done_callback(self._errands.discard)
        return errand

    async def _see_through(
        self, offset: int, work: Coroutine[Any, Any, None], *, done: bool
    ) -> None:
        try:
            await work
        except RecordingLost:
            return  # The next owner is given the command again.
        if done:
            self._mark.done(offset)
