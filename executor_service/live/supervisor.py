"""The executions of one partition: those that run in this process, and those set down."""

import asyncio
from collections.abc import Collection, Sequence
from datetime import datetime
from functools import partial

from executor_service.admission.concurrency_limits import LimitsHeld
from executor_service.admission.controller import BEGUN_BEFORE, Waiting
from executor_service.definitions.blueprint import Blueprint
from executor_service.errors import RecordingLost
from executor_service.live.child_commands import ChildCommands, NotTold
from executor_service.live.drain import drop
from executor_service.live.former_ends import FormerEnds
from executor_service.live.live_execution import (
    LiveExecution,
    LiveExecutionFactory,
    NotBegun,
    Work,
    ended,
    may_be_adopted,
    park,
    raising,
)
from executor_service.live.partition_context import PartitionContext
from executor_service.live.payload_loader import PayloadLoader, refers
from executor_service.live.wake_timers import WakeTimers
from executor_service.log.recorder import HandedOver
from executor_service.log.recovery import Fact, RecoveredExecution, RecoveredPartition
from executor_service.payload_errors import PayloadNotStored
from executor_service.payloads.claim_check import ClaimCheck
from executor_service.runtime.guarded_loop import begin_guarded
from executor_service.runtime.held_execution import UNREADABLE, ExecutionHeld
from steplog_contracts.errors import SteplogError
from steplog_contracts.events import Event, ExecutionStarted


class ExecutionSupervisor:
    """Begins, adopts, parks and drops the executions of a partition under one claim."""

    def __init__(self, context: PartitionContext) -> None:
        executor = context.executor
        self._context = context
        self._executor = executor
        self._writer = context.writer
        self._mark = context.mark
        self._snapshots = context.snapshots
        self._live: dict[str, LiveExecution] = {}
        self._unreadable: set[str] = set()
        # What can't go on here, with what knows where its values are; a parked one stays parked.
        self._held: dict[str, tuple[RecoveredExecution, ClaimCheck | None]] = {}
        self._alarms = WakeTimers(executor.clock, self._woken)
        self._maker = LiveExecutionFactory(context)
        self._children = ChildCommands(executor)
        self._former_ends = FormerEnds(context, self._children)
        self._arrivals = PayloadLoader(executor.payloads, self._revive, self._fail)
        self._limits = LimitsHeld(executor.admission, context.partition)

    def __contains__(self, execution_id: str) -> bool:
        """Return whether it has not ended: it runs, waits or is parked."""
        places = (self._live, self._snapshots, self._arrivals, self._held, self._unreadable)
        return any(execution_id in place for place in places)

    def commands_of(self, execution_id: str) -> list[int] | None:
        """Return the offsets of commands that are done once an execution in memory has settled."""
        if execution_id in self._arrivals:
            return self._arrivals.commands_of(execution_id)
        live = self._live.get(execution_id)
        return None if live is None else live.commands

    def arriving(self, execution_id: str) -> bool:
        """Say whether an execution's stored values are not here yet; begins to fetch them."""
        if execution_id in self._arrivals:
            return True
        snapshot = self._snapshots.parked.get(execution_id)
        if execution_id in self._live or snapshot is None or not snapshot.may_refer:
            return False
        self._mark.hold(execution_id, self._writer.next_offset)
        self._arrivals.begin(RecoveredExecution.unparked(snapshot, self._writer.next_offset))
        return True

    async def arrived(self, execution_id: str) -> None:
        """Return once an execution's stored values are here, or can't be had."""
        await self._arrivals.wait(execution_id)

    def rehydrate(self, execution_id: str, *, to_be_ended: bool = False) -> LiveExecution | None:
        """Return an execution that has not ended, from its snapshot if it is parked.

        Raises:
            ExecutionHeld: it can't go on here, and is not to be ended.
        """
        if execution_id in self._unreadable:
            raise ExecutionHeld(execution_id, UNREADABLE)
        live = self._live.get(execution_id)
        snapshot = self._snapshots.parked.get(execution_id)
        held = self._held.get(execution_id)
        if live is not None:
            return live
        if held is None:
            if snapshot is None:
                return None
            self._mark.hold(execution_id, self._writer.next_offset)
            held = RecoveredExecution.unparked(snapshot, self._writer.next_offset), None
        try:
            return self._keep(self._maker.revived(*held), held[0].started)
        except ExecutionHeld:
            if to_be_ended:
                return self._keep(self._maker.held(held[0]), held[0].started)
            if execution_id not in self._held:
                self._mark.release(execution_id)
            raise

    def begin(
        self,
        execution_id: str,
        blueprint: Blueprint,
        started: ExecutionStarted,
        not_before: datetime | None = None,
        asked_at: datetime | None = None,
    ) -> LiveExecution:
        """Start a new execution; its first events are recorded before any step runs."""
        live = self._keep(self._maker.new(execution_id, started.command_id, blueprint), started)
        times = {"not_before": not_before, "asked_at": asked_at}
        self._run(live, partial(live.execution.start, started, cause=started.command_id, **times))
        return live

    async def begin_from(
        self,
        execution_id: str,
        command_id: str,
        offset: int,
        events: Sequence[Event],
        claim_check: ClaimCheck,
    ) -> LiveExecution:
        """Record the beginning of an execution that takes results over, and run it on.

        `claim_check` knows which of the results are stored already.

        Raises:
            ExecutionHeld: its definition can't be loaded here any more.
        """
        now = self._executor.clock.now()
        facts = [Fact(event, now) for event in events]
        begun = RecoveredExecution(execution_id, command_id, self._writer.next_offset, facts)
        revived = self._maker.revived(begun, claim_check, facts_recorded=False)
        live = self._keep(revived, begun.started)
        live.recorder.expect(command_id, offset)
        try:
            await live.recorder.record(events, cause=command_id)
        except PayloadNotStored:
            self._forget(live)
            self._limits.end(execution_id)
            raise
        self.resume_run(live)
        return live

    def adopt(self, recovered: RecoveredPartition) -> None:
        """Go on with everything a former owner left unfinished, and set every alarm."""
        for execution in recovered.executions.values():
            if execution.ended:
                self._former_ends.finish(execution)
            elif may_be_adopted(execution):
                self._adopt(execution)
            elif not execution.foreign:
                self._unreadable.add(execution.execution_id)
        for snapshot in self._snapshots.parked.values():
            if snapshot.concurrency_key is not None:
                self._limits.count_parked(snapshot.execution_id, snapshot.concurrency_key)
            # One with events in the tail goes on from those, or has ended, or is held.
            if snapshot.wake_at is not None and snapshot.execution_id not in recovered.executions:
                self._alarms.set(snapshot.execution_id, snapshot.wake_at)

    def resume_run(self, live: LiveExecution) -> None:
        """Run an execution on that was only waiting; one that runs notices by itself."""
        if live.task is None:
            self._run(live, live.execution.resume_run)

    @property
    def in_memory(self) -> Collection[LiveExecution]:
        """Every execution that is not parked; a view that follows what comes and goes."""
        return self._live.values()

    async def drop_all(self) -> None:
        """Stop everything where it stands, recording nothing."""
        self._alarms.close()
        tasks = [live.task for live in self._live.values() if live.task is not None]
        await drop([*tasks, *self._former_ends.tasks, *self._arrivals.tasks])
        self._live.clear()
        self._held.clear()
        self._limits.drop_all()

    def _adopt(self, unfinished: RecoveredExecution) -> None:
        # Where its command never comes again, nothing else keeps the mark below its events.
        self._mark.hold(unfinished.execution_id, unfinished.first_offset)
        self._limits.count(unfinished.started, unfinished.execution_id)
        if refers(unfinished):
            self._arrivals.begin(unfinished)
            return
        self._revive(unfinished)

    def _fail(
        self, unfinished: RecoveredExecution, error: SteplogError, commands: list[int]
    ) -> None:
        """End an execution whose stored values can't be had; the partition goes on."""
        live = self._keep(self._maker.held(unfinished), unfinished.started)
        live.commands += commands
        self._run(live, partial(raising, error))

    def _revive(
        self,
        unfinished: RecoveredExecution,
        claim_check: ClaimCheck | None = None,
        commands: Sequence[int] = (),
    ) -> None:
        """Run an execution on, its values in place, or hold it."""
        try:
            live = self._maker.revived(unfinished, claim_check)
        except ExecutionHeld:
            self._held[unfinished.execution_id] = unfinished, claim_check
            return
        self._keep(live, unfinished.started)
        live.commands += commands
        self.resume_run(live)

    def _keep(self, live: LiveExecution, started: ExecutionStarted) -> LiveExecution:
        self._live[live.execution_id] = live
        live.started = started
        self._held.pop(live.execution_id, None)
        self._limits.count(started, live.execution_id)
        live.since = self._mark.held(live.execution_id, self._writer.next_offset)
        return live

    def _run(self, live: LiveExecution, work: Work) -> None:
        self._executor.slots.take()
        live.task = begin_guarded(self._run_guarded(live, work), asyncio.get_running_loop())
        # Not at the end of the task: one cancelled before its first step never gets there.
        live.task.add_done_callback(lambda _: self._executor.slots.release())

    async def _run_guarded(self, live: LiveExecution, work: Work) -> None:
        try:
            if await ended(live, work):
                await self._children.tell(live.execution_id, live.started, live.recorder.end)
                await self._snapshots.clear(live.execution_id)
                self._settle(live)
                self._limits.end(live.execution_id)
            elif await park(live, self._snapshots, self._alarms, self._executor.clock):
                self._settle(live)
                self._limits.park(live.execution_id)
        except HandedOver:
            return
        except NotBegun as error:
            self._refuse(live, error.reason)
            return
        except RecordingLost as error:
            self._context.lose(str(error))
            return
        except NotTold:
            return  # Its command is not done with, so the next owner tells it.
        finally:
            live.task = None
        if live.execution_id in self._live and not live.rests(self._executor.clock.now()):
            self.resume_run(live)  # It was answered or came due while it was being set down.

    def _settle(self, live: LiveExecution) -> None:
        self._forget(live)
        for offset in live.commands:
            self._mark.done(offset)

    def _refuse(self, live: LiveExecution, error: SteplogError) -> None:
        # Not even its beginning could be recorded, so there is no such execution.
        self._forget(live)
        self._limits.end(live.execution_id)
        if live.when_refused is not None:
            live.when_refused(error)

    def _forget(self, live: LiveExecution) -> None:
        live.gone = True
        del self._live[live.execution_id]
        self._mark.release(live.execution_id)

    def _woken(self, execution_id: str) -> None:
        # Many may be due at once, so it waits for a slot too.
        wake = partial(self._wake, execution_id)
        self._executor.admission.ask(Waiting(execution_id, wake, BEGUN_BEFORE))

    def _wake(self, execution_id: str) -> None:
        try:
            live = None if self.arriving(execution_id) else self.rehydrate(execution_id)
        except ExecutionHeld:
            return  # It stays parked, for an executor that can; the log says so.
        if live is not None:
            self.resume_run(live)
