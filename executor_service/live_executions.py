"""The executions of one partition that run or wait in this process."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

import structlog

from contracts.errors import UnwritablePayload
from contracts.events import ErrorInfo, Event, ExecutionFailed, ExecutionStarted
from executor_service.blueprint import Blueprint
from executor_service.engine.state import State, evolve, initial
from executor_service.errors import DefinitionRefused, RecordingLost
from executor_service.execution import Execution, Outcome
from executor_service.partition_writer import PartitionWriter
from executor_service.recording import ExecutionRecorder, HandedOver
from executor_service.recovery import RecoveredExecution, RecoveredPartition
from executor_service.workplace import Workplace

_log = structlog.get_logger(__name__)


@dataclass(slots=True, eq=False)
class LiveExecution:
    """One execution in this process, and what to call when it has ended."""

    execution_id: str
    command_id: str | None
    execution: Execution
    recorder: ExecutionRecorder
    task: asyncio.Task[None] | None = None
    when_ended: list[Callable[[], None]] = field(default_factory=list)


class LiveExecutions:
    """Begins, adopts, holds and drops the executions of a partition under one claim."""

    def __init__(
        self, workplace: Workplace, writer: PartitionWriter, on_lost: Callable[[str], None]
    ) -> None:
        self._workplace = workplace
        self._writer = writer
        self._on_lost = on_lost
        self._live: dict[str, LiveExecution] = {}

    def get(self, execution_id: str) -> LiveExecution | None:
        """Return an execution that has not ended, running or waiting."""
        return self._live.get(execution_id)

    def begin(
        self, execution_id: str, blueprint: Blueprint, started: ExecutionStarted
    ) -> LiveExecution:
        """Start a new execution; its first events are recorded before any step runs."""
        live = self._hold(execution_id, started.command_id, blueprint, seq=0)
        self._run(live, live.execution.start(started, cause=started.command_id))
        return live

    def adopt(self, recovered: RecoveredPartition) -> None:
        """Go on with everything a former owner left unfinished."""
        for unfinished in recovered.unfinished():
            if unfinished.broken:
                _log.error("execution_held", execution=unfinished.execution_id, reason=_BROKEN)
                continue
            try:
                self._go_on(unfinished)
            except DefinitionRefused as error:
                # Its commands stay uncommitted, so an executor that can load it goes on with it.
                _log.error("execution_held", execution=unfinished.execution_id, reason=str(error))

    def resumed(self, live: LiveExecution) -> None:
        """Run an execution on that was only waiting, after its wait was answered."""
        if live.task is None:
            self._run(live, live.execution.go_on(live.execution.state))

    async def drain(self, grace_s: float) -> None:
        """Let running steps finish and be recorded; nothing new starts."""
        for live in self._live.values():
            live.recorder.drain()
        running = [live.task for live in self._live.values() if live.task is not None]
        if running:
            await asyncio.wait(running, timeout=grace_s)

    async def drop_all(self) -> None:
        """Stop everything where it stands, recording nothing."""
        tasks = [live.task for live in self._live.values() if live.task is not None]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        self._live.clear()

    def _go_on(self, unfinished: RecoveredExecution) -> None:
        started = unfinished.started
        assert started.definition is not None
        blueprint = self._workplace.catalogue.inline(started.definition)
        state = _folded(blueprint, unfinished)
        live = self._hold(
            unfinished.execution_id, unfinished.command_id, blueprint, seq=len(unfinished.events)
        )
        self._run(live, live.execution.go_on(state))

    def _hold(
        self, execution_id: str, command_id: str | None, blueprint: Blueprint, *, seq: int
    ) -> LiveExecution:
        recorder = ExecutionRecorder(
            self._writer,
            self._workplace.clock,
            execution_id,
            source=self._workplace.source,
            correlation_id=command_id,
            seq=seq,
        )
        execution = Execution(
            blueprint,
            execution_id,
            recorder,
            clock=self._workplace.clock,
            services=self._workplace.services,
        )
        live = LiveExecution(execution_id, command_id, execution, recorder)
        self._live[execution_id] = live
        return live

    def _run(self, live: LiveExecution, work: Coroutine[Any, Any, Outcome]) -> None:
        self._workplace.slots.take()
        live.task = asyncio.create_task(self._see_through(live, work))

    async def _see_through(self, live: LiveExecution, work: Coroutine[Any, Any, Outcome]) -> None:
        try:
            outcome = await work
        except HandedOver:
            return
        except RecordingLost as error:
            self._on_lost(str(error))
            return
        except Exception as error:  # A fault of ours or an unrecordable value: make it visible.
            _log.exception("execution_broke", execution=live.execution_id)
            await self._fail(live, error)
        else:
            if not outcome.ended:
                return
        finally:
            live.task = None
            self._workplace.slots.release()
        self._end(live)

    async def _fail(self, live: LiveExecution, error: Exception) -> None:
        kind = "UnwritablePayload" if isinstance(error, UnwritablePayload) else "InternalError"
        failed: Event = ExecutionFailed(error=ErrorInfo(type=kind, message=str(error)))
        await live.recorder.record([failed])

    def _end(self, live: LiveExecution) -> None:
        del self._live[live.execution_id]
        for call in live.when_ended:
            call()


_BROKEN = "An event of it can't be read by this version; run the version that wrote it."


def _folded(blueprint: Blueprint, unfinished: RecoveredExecution) -> State:
    state = initial(blueprint)
    for event in unfinished.events:
        state = evolve(state, event)
    return state
