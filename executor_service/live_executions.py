"""The executions of one partition: those that run in this process, and those set down."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import structlog

from contracts.errors import UnwritablePayload
from contracts.events import ErrorInfo, Event, ExecutionFailed, ExecutionStarted
from contracts.parking import ParkedExecution, ParkedFact
from executor_service.alarms import Alarms
from executor_service.blueprint import Blueprint
from executor_service.engine.state import State, evolve, initial
from executor_service.errors import DefinitionRefused, RecordingLost
from executor_service.execution import Execution
from executor_service.low_water_mark import LowWaterMark
from executor_service.outcome import Outcome
from executor_service.parking import Parking
from executor_service.partition_writer import PartitionWriter
from executor_service.recording import ExecutionRecorder, HandedOver
from executor_service.recovery import Fact, RecoveredExecution, RecoveredPartition
from executor_service.workplace import Workplace

_BROKEN = "An event of it can't be read by this version; run the version that wrote it."

_log = structlog.get_logger(__name__)


@dataclass(slots=True, eq=False)
class LiveExecution:
    """One execution in this process, and what to call once it has ended or is parked."""

    execution_id: str
    command_id: str | None
    execution: Execution
    recorder: ExecutionRecorder
    task: asyncio.Task[None] | None = None
    when_settled: list[Callable[[], None]] = field(default_factory=list)


class LiveExecutions:
    """Begins, adopts, parks and drops the executions of a partition under one claim."""

    def __init__(
        self,
        workplace: Workplace,
        writer: PartitionWriter,
        mark: LowWaterMark,
        parking: Parking,
        on_lost: Callable[[str], None],
    ) -> None:
        self._workplace = workplace
        self._writer = writer
        self._mark = mark
        self._parking = parking
        self._on_lost = on_lost
        self._live: dict[str, LiveExecution] = {}
        self._alarms = Alarms(workplace.clock, self._woken)
        self._clearing: set[asyncio.Task[None]] = set()

    def __contains__(self, execution_id: str) -> bool:
        """Return whether it has not ended: it runs, waits or is parked."""
        return execution_id in self._live or execution_id in self._parking

    def running(self, execution_id: str) -> LiveExecution | None:
        """Return an execution that is in memory."""
        return self._live.get(execution_id)

    def take_up(self, execution_id: str) -> LiveExecution | None:
        """Return an execution that has not ended, from its snapshot if it is parked."""
        live = self._live.get(execution_id)
        snapshot = self._parking.parked.get(execution_id)
        if live is not None or snapshot is None:
            return live
        self._mark.hold(execution_id, self._writer.next_offset)
        taken_up = RecoveredExecution.unparked(snapshot, self._writer.next_offset)
        return self._revive(taken_up)

    def begin(
        self,
        execution_id: str,
        blueprint: Blueprint,
        started: ExecutionStarted,
        not_before: datetime | None = None,
    ) -> LiveExecution:
        """Start a new execution; its first events are recorded before any step runs."""
        live = self._hold(execution_id, started.command_id, blueprint)
        cause = started.command_id
        self._run(live, live.execution.start(started, cause=cause, not_before=not_before))
        return live

    async def begin_from(
        self, execution_id: str, command_id: str, offset: int, events: Sequence[Event]
    ) -> LiveExecution | None:
        """Record the beginning of an execution that takes results over, and run it on.

        Returns None where its definition can't be loaded here any more.
        """
        now = self._workplace.clock.now()
        facts = [Fact(event, now) for event in events]
        begun = RecoveredExecution(execution_id, command_id, self._writer.next_offset, facts)
        live = self._revive(begun, facts_recorded=False)
        if live is not None:
            live.recorder.expect(command_id, offset)
            await live.recorder.record(events, cause=command_id)
            self.go_on(live)
        return live

    def adopt(self, recovered: RecoveredPartition) -> None:
        """Go on with everything a former owner left unfinished, and set every alarm."""
        for execution in recovered.executions.values():
            if execution.ended:
                self._clear_snapshot(execution.execution_id)
            elif execution.broken:
                _log.error("execution_held", execution=execution.execution_id, reason=_BROKEN)
            else:
                self._adopt(execution)
        for snapshot in self._parking.parked.values():
            if snapshot.wake_at is not None and snapshot.execution_id not in self._live:
                self._alarms.set(snapshot.execution_id, snapshot.wake_at)

    def go_on(self, live: LiveExecution) -> None:
        """Run an execution on that was only waiting; one that runs notices by itself."""
        if live.task is None:
            self._run(live, live.execution.go_on())

    async def drain(self, grace_s: float) -> None:
        """Let running steps finish and be recorded; nothing new starts."""
        for live in self._live.values():
            live.recorder.drain()
        running = [live.task for live in self._live.values() if live.task is not None]
        if running:
            await asyncio.wait(running, timeout=grace_s)

    async def drop_all(self) -> None:
        """Stop everything where it stands, recording nothing."""
        self._alarms.close()
        tasks = [live.task for live in self._live.values() if live.task is not None]
        tasks += self._clearing
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        self._live.clear()

    def _adopt(self, unfinished: RecoveredExecution) -> None:
        if unfinished.execution_id in self._parking:
            self._mark.hold(unfinished.execution_id, unfinished.first_offset)
        live = self._revive(unfinished)
        if live is not None:
            self.go_on(live)

    def _revive(
        self, unfinished: RecoveredExecution, *, facts_recorded: bool = True
    ) -> LiveExecution | None:
        started = unfinished.started
        assert started.definition is not None
        try:
            blueprint = self._workplace.catalogue.inline(started.definition)
        except DefinitionRefused as error:
            # Its commands stay uncommitted, so an executor that can load it goes on with it.
            _log.error("execution_held", execution=unfinished.execution_id, reason=str(error))
            return None
        facts = unfinished.facts if facts_recorded else ()
        live = self._hold(unfinished.execution_id, unfinished.command_id, blueprint, facts)
        live.execution.adopt(_folded(blueprint, unfinished))
        return live

    def _hold(
        self,
        execution_id: str,
        command_id: str | None,
        blueprint: Blueprint,
        facts: Sequence[Fact] = (),
    ) -> LiveExecution:
        recorder = ExecutionRecorder(
            self._writer,
            self._workplace.clock,
            execution_id,
            source=self._workplace.source,
            correlation_id=command_id,
            facts=facts,
        )
        execution = Execution(
            blueprint,
            execution_id,
            recorder,
            clock=self._workplace.clock,
            services=self._workplace.services,
            park_when_waiting=True,
        )
        live = LiveExecution(execution_id, command_id, execution, recorder)
        self._live[execution_id] = live
        return live

    def _run(self, live: LiveExecution, work: Coroutine[Any, Any, Outcome]) -> None:
        self._workplace.slots.take()
        live.task = asyncio.create_task(self._see_through(live, work))

    async def _see_through(self, live: LiveExecution, work: Coroutine[Any, Any, Outcome]) -> None:
        try:
            if await self._ended(live, work):
                await self._parking.clear(live.execution_id)
                self._settle(live)
            elif await self._set_down(live) and live.execution.waiting_only:
                self._settle(live)
        except HandedOver:
            return
        except RecordingLost as error:
            self._on_lost(str(error))
            return
        finally:
            live.task = None
            self._workplace.slots.release()
        if live.execution_id in self._live and not live.execution.waiting_only:
            self.go_on(live)  # It was answered or cancelled while it was being set down.

    async def _ended(self, live: LiveExecution, work: Coroutine[Any, Any, Outcome]) -> bool:
        try:
            return (await work).ended
        except RecordingLost:
            raise
        except Exception as error:  # A fault of ours or an unrecordable value: make it visible.
            _log.exception("execution_broke", execution=live.execution_id)
            kind = "UnwritablePayload" if isinstance(error, UnwritablePayload) else "InternalError"
            failed = ExecutionFailed(error=ErrorInfo(type=kind, message=str(error)))
            await live.recorder.record([failed])
            return True

    async def _set_down(self, live: LiveExecution) -> bool:
        """Park an execution that only waits; False when its history is too long for that."""
        wake_at, facts = live.execution.next_due, live.recorder.facts
        if wake_at is not None:
            self._alarms.set(live.execution_id, wake_at)
        if facts is None:
            return False
        parked = ParkedExecution(
            execution_id=live.execution_id,
            command_id=live.command_id,
            seq=live.recorder.seq,
            facts=tuple(ParkedFact.of(fact.event, fact.time) for fact in facts),
        )
        return await self._parking.park(parked, wake_at)

    def _settle(self, live: LiveExecution) -> None:
        """It has ended or is parked: nothing of it needs to stay here."""
        del self._live[live.execution_id]
        self._mark.let_go(live.execution_id)
        for call in live.when_settled:
            call()

    def _woken(self, execution_id: str) -> None:
        live = self.take_up(execution_id)
        if live is not None:
            self.go_on(live)

    def _clear_snapshot(self, execution_id: str) -> None:
        """A former owner recorded the end and stopped before it removed the snapshot."""
        if execution_id in self._parking:
            self._clearing.add(asyncio.create_task(self._parking.clear(execution_id)))


def _folded(blueprint: Blueprint, unfinished: RecoveredExecution) -> State:
    state = initial(blueprint, unfinished.execution_id)
    for event, time in unfinished.facts:
        evolve(state, event, time)
    return state
