"""One execution in this process, made new or from what is recorded of it."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any, Final

import structlog

from executor_service.definitions.asked_modules import is_left
from executor_service.definitions.blueprint import Blueprint
from executor_service.engine.error_text import text_of
from executor_service.engine.fold import evolve
from executor_service.engine.state import State, initial
from executor_service.errors import ExecutorError, RecordingLost
from executor_service.live.child_commands import ChildCommands
from executor_service.live.partition_context import PartitionContext
from executor_service.live.wake_timers import WakeTimers
from executor_service.log.recorder import ExecutionRecorder
from executor_service.log.recovery import Fact, RecoveredExecution
from executor_service.log.snapshots import SnapshotStore
from executor_service.payloads.claim_check import ClaimCheck
from executor_service.ports.runtime import Clock
from executor_service.runtime.cancellation import is_own_end
from executor_service.runtime.command_error import refusal_for
from executor_service.runtime.execution import Execution
from executor_service.runtime.held_execution import UNREADABLE, ExecutionHeld, HeldExecution
from executor_service.runtime.outcome import Outcome
from executor_service.runtime.parent_execution import ParentExecution
from steplog_contracts.errors import SteplogError
from steplog_contracts.events import ErrorInfo, ExecutionFailed, ExecutionStarted
from steplog_contracts.parked_execution import ParkedExecution, ParkedFact

# A longer history stays in memory while its children run: they may end one after the other.
MAX_SEQ_PARKED: Final = 100
Work = Callable[[], Coroutine[Any, Any, Outcome]]

_log = structlog.get_logger(__name__)


class NotRevivable(ExecutorError):
    """A recorded execution that lacks what going on takes."""


class NotBegun(ExecutorError):
    """Not even an execution's beginning could be recorded; `reason` is why."""

    def __init__(self, reason: SteplogError) -> None:
        super().__init__(str(reason))
        self.reason = reason


@dataclass(slots=True, eq=False)
class LiveExecution:
    """One execution in this process, and the commands that are done once it ended or is parked."""

    execution_id: str
    command_id: str | None
    execution: Execution
    recorder: ExecutionRecorder
    task: asyncio.Task[None] | None = None
    commands: list[int] = field(default_factory=list)  # Their offsets.
    # Called instead where not even its beginning could be recorded.
    when_refused: Callable[[SteplogError], None] | None = None
    since: int = 0  # Its events that no snapshot has stand at this events offset or after it.
    gone: bool = False  # It has ended, or is parked, or never was.
    started: ExecutionStarted | None = None

    @property
    def at_rest(self) -> bool:
        """Whether it has begun and everything of it so far is in the log."""
        recorder = self.recorder
        return recorder.seq > 0 and not recorder.under_way and self.execution.settled

    def rests(self, now: datetime) -> bool:
        """Return whether nothing is to be done before a person answers or its next time comes."""
        due = self.execution.next_due
        return self.execution.waiting_only and (due is None or due > now)


class LiveExecutionFactory:
    """Makes the live executions of one partition under one claim."""

    def __init__(self, context: PartitionContext) -> None:
        self._executor = context.executor
        self._counts = context.executor.counts
        self._writer = context.writer
        self._children = ChildCommands(context.executor)

    def new(
        self,
        execution_id: str,
        command_id: str | None,
        blueprint: Blueprint,
        claim_check: ClaimCheck | None = None,
        facts: Sequence[Fact] = (),
    ) -> LiveExecution:
        """Return an execution whose `facts` are recorded and not folded."""
        claim_check = claim_check or ClaimCheck(self._executor.payloads)
        recorder = self._recorder(execution_id, command_id, claim_check, facts)
        kind: Any = Execution
        if blueprint.plan.has_children:
            kind = partial(ParentExecution, children=self._children)
        execution = kind(
            blueprint,
            execution_id,
            recorder,
            clock=self._executor.clock,
            services=self._executor.services,
            park_over=self._executor.park_over,
            claim_check=claim_check,
            on_event=None if self._counts is None else self._counts.of(blueprint.plan.name),
        )
        return LiveExecution(execution_id, command_id, execution, recorder)

    def revived(
        self,
        unfinished: RecoveredExecution,
        claim_check: ClaimCheck | None = None,
        *,
        facts_recorded: bool = True,
    ) -> LiveExecution:
        """Return a recorded execution, its values in place.

        `claim_check` knows where its large values are stored.

        Raises:
            ExecutionHeld: it can't be gone on with here; its commands stay uncommitted, so an
                executor that can load it goes on with it.
        """
        try:
            return self._revived(unfinished, claim_check, facts_recorded)
        except BaseException as error:  # Nothing here awaits: it is the history that led to it.
            if not is_left(error):
                _log.error(
                    "execution_held",
                    execution=unfinished.execution_id,
                    reason=text_of(error),
                    exc_info=None if isinstance(error, SteplogError) else error,
                )
            raise ExecutionHeld(unfinished.execution_id, text_of(error)) from error

    def _revived(
        self,
        unfinished: RecoveredExecution,
        claim_check: ClaimCheck | None,
        facts_recorded: bool,
    ) -> LiveExecution:
        definition = unfinished.started.definition
        if definition is None:
            raise NotRevivable("Its first event holds no definition to go on with.")
        blueprint = self._executor.catalogue.recorded(definition, unfinished.started.language)
        facts: Sequence[Fact] = unfinished.facts if facts_recorded else ()
        if claim_check is not None:
            # Kept as they are on the log, so that a snapshot of them stays small.
            facts = [Fact(claim_check.hollow_known(event), time) for event, time in facts]
        live = self.new(
            unfinished.execution_id, unfinished.command_id, blueprint, claim_check, facts
        )
        live.execution.state = _folded(blueprint, unfinished)
        return live

    def held(self, unfinished: RecoveredExecution) -> LiveExecution:
        """Return a recorded execution that only ends: neither code nor stored values are needed."""
        recorder = self._recorder(
            unfinished.execution_id, unfinished.command_id, None, unfinished.facts
        )
        execution = HeldExecution(unfinished, recorder, self._executor.clock)
        return LiveExecution(unfinished.execution_id, unfinished.command_id, execution, recorder)

    def _recorder(
        self,
        execution_id: str,
        command_id: str | None,
        claim_check: ClaimCheck | None,
        facts: Sequence[Fact],
    ) -> ExecutionRecorder:
        return ExecutionRecorder(
            self._writer,
            self._executor.clock,
            execution_id,
            source=self._executor.source,
            correlation_id=command_id,
            claim_check=claim_check or ClaimCheck(self._executor.payloads),
            facts=facts,
        )


def _folded(blueprint: Blueprint, unfinished: RecoveredExecution) -> State:
    state = initial(blueprint, unfinished.execution_id)
    for event, time in unfinished.facts:
        evolve(state, event, time)
    return state


def may_be_adopted(execution: RecoveredExecution) -> bool:
    """Say whether a new owner may go on with an execution; logs why not."""
    if execution.foreign:
        _log.info("execution_not_ours", execution=execution.execution_id)
        return False
    begins = execution.facts and isinstance(execution.facts[0].event, ExecutionStarted)
    if execution.broken or not begins:
        _log.error("execution_held", execution=execution.execution_id, reason=UNREADABLE)
        return False
    return True


async def ended(live: LiveExecution, work: Work) -> bool:
    """Run an execution and return whether it has ended; a fault ends it on the record."""
    try:
        return (await work()).ended
    except RecordingLost:
        raise
    except SteplogError as error:  # A value that can't be recorded or had: make it visible.
        if live.recorder.seq == 0:
            raise NotBegun(error) from error
        _log.warning("execution_failed", execution=live.execution_id, reason=str(error))
        step_id, message = getattr(error, "step_id", None), str(error)
        kind = type(error).__name__
    except BaseException as error:  # A fault of ours, or what user code raised beyond its bounds.
        if is_own_end(error):
            raise
        if live.recorder.seq == 0:
            raise NotBegun(refusal_for(error)) from error
        _log.exception("execution_broke", execution=live.execution_id)
        kind, step_id, message = "InternalError", None, text_of(error)
    failed = ErrorInfo(type=kind, message=message, step_id=step_id)
    await live.recorder.record([ExecutionFailed(error=failed)])
    return True


def _snapshot_of(live: LiveExecution, facts: Sequence[Fact]) -> ParkedExecution:
    """Return everything needed to go on with an execution later."""
    return ParkedExecution(
        execution_id=live.execution_id,
        command_id=live.command_id,
        seq=live.recorder.seq,
        facts=tuple(ParkedFact.of(fact.event, fact.time) for fact in facts),
    )


async def write_snapshot(
    live: LiveExecution, snapshots: SnapshotStore, wake_at: datetime | None
) -> bool:
    """Write a snapshot of an execution; False when its history is too long for that.

    Raises:
        RecordingLost: another executor owns the partition.
    """
    facts = live.recorder.facts
    if facts is None:
        return False
    return await snapshots.park(_snapshot_of(live, facts), wake_at, _key_of(facts))


def _key_of(facts: Sequence[Fact]) -> str | None:
    """Return the concurrency key an execution began with."""
    started = facts[0].event
    return started.concurrency_key if isinstance(started, ExecutionStarted) else None


async def park(
    live: LiveExecution, snapshots: SnapshotStore, alarms: WakeTimers, clock: Clock
) -> bool:
    """Park an execution that only waits; False when its history is too long for that, or when it
    was answered or came due meanwhile."""
    wake_at = live.execution.next_due
    if wake_at is not None:
        alarms.set(live.execution_id, wake_at)
    execution, is_long = live.execution, live.recorder.seq > MAX_SEQ_PARKED
    if is_long and isinstance(execution, ParentExecution) and execution.waits_for_others:
        return False  # Each end of many children would read and write the whole history again.
    return await write_snapshot(live, snapshots, wake_at) and live.rests(clock.now())


async def raising(error: SteplogError) -> Outcome:
    """Stand for the work of an execution that ends with an error of ours."""
    raise error
