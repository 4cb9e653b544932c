"""The one shell around the engine: records, waits, runs steps, repeats.

`Pipeline.run` and the service drive the same class. An execution lives in one task; whoever cancels
that task abandons the execution where it stands, recording nothing (another process may go on with
it), while `cancel()` ends it on the record.

The order of things: decide, fold, record, and only then act. The state is folded ahead of the
acknowledgement, so if recording is lost it is worth nothing any more and the execution stops.

A step runs in the execution's own task when nothing else is alive, otherwise in one of its own.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from functools import cached_property
from typing import Final

from executor_service.definitions.blueprint import Blueprint
from executor_service.engine import completion
from executor_service.engine.limits import next_limit
from executor_service.engine.state import State, initial
from executor_service.engine.visit import Visit
from executor_service.payloads.claim_check import ClaimCheck
from executor_service.ports.runtime import Clock, Randomness, Recorder
from executor_service.runtime.attempt import Attempts, BegunAttempt
from executor_service.runtime.attempt_result import AttemptResult, Returned
from executor_service.runtime.event_buffer import EventBuffer
from executor_service.runtime.guarded_loop import Guarded, run_guarded
from executor_service.runtime.human_answers import Answers
from executor_service.runtime.outcome import Outcome, outcome_of
from executor_service.runtime.run_end import RunEnd
from executor_service.runtime.state_machine import StateMachine
from executor_service.runtime.step_invocation import StepCall, StepStopped
from executor_service.runtime.step_tasks import StepTasks
from executor_service.runtime.timers import only_waits, waits_longer
from executor_service.runtime.undo import Undo
from executor_service.runtime.wakeup import Wakeup
from executor_service.steps.service_registry import ServiceRegistry
from steplog_contracts import events as ev

# Steps that may end without ever waiting before the event loop gets its turn.
STEPS_PER_TURN: Final = 128


class StepLoop:
    """The loop of one execution; `Execution` is how it is begun, changed and asked."""

    attempts_kind: type[Attempts] = Attempts

    def __init__(  # noqa: PLR0913 - its ports
        self,
        blueprint: Blueprint,
        execution_id: str,
        recorder: Recorder | None = None,
        *,
        clock: Clock,
        services: ServiceRegistry | None = None,
        park_over: timedelta | None = None,
        randomness: Randomness = random.random,
        on_event: Callable[[ev.Event], None] | None = None,
        claim_check: ClaimCheck | None = None,
    ) -> None:
        """`recorder` is None where nobody keeps the events. With `park_over`, `start` and
        `resume_run` return when only waits are left: for people, or for a time that far off."""
        self.execution_id = execution_id
        self._clock, self._park_over = clock, park_over
        self._wakeup, pure = Wakeup(clock), blueprint.plan.pure_steps
        self._outbox = EventBuffer(recorder, on_event, clock, pure, self._wakeup.wake)
        self._progress = StateMachine(initial(blueprint, execution_id), self._outbox, clock)
        self._attempts = self.attempts_kind(
            blueprint, execution_id, clock=clock, services=services, randomness=randomness,
            progressed=self._progress.progressed, claim_check=claim_check,
        )  # fmt: skip
        self._ends = RunEnd(self._progress, clock)
        self._tasks = StepTasks(self._attempts, self._wakeup.wake)
        self._answers = Answers()
        self._randomness = randomness
        self._calling: StepCall | None = None  # Of steps in the execution's own task.
        self._inline = False  # Whether one runs there.

    @cached_property
    def _undo(self) -> Undo:
        """The compensation; most executions never have one."""
        return Undo(
            self._progress, self._attempts, self._outbox, self._ends, self._clock,
            self._randomness,
        )  # fmt: skip

    def _interrupt(self) -> None:
        """Stop a step that runs in the execution's own task, or end its sleep."""
        if self._calling is not None and self._inline:
            self._calling.stop()
        self._wakeup.wake()

    @property
    def state(self) -> State:
        """Everything folded so far; may be set to a state folded from recorded events."""
        return self._progress.state

    @state.setter
    def state(self, state: State) -> None:
        state.execution_id = self.execution_id
        self._progress.state = state

    @property
    def settled(self) -> bool:
        """Whether all that was asked of it and all that came of its steps is given to the log."""
        pending = self._answers.accepted or self._progress.launches or self._tasks.has_results
        if self.state.undoing is not None and self._undo.resumed is not None:
            return False
        return not (pending or self._outbox.unsettled or self._ends.cancel is not None)

    @property
    def waiting_only(self) -> bool:
        """Whether it can only go on when a person answers or its next time comes."""
        return self.settled and only_waits(self.state)

    def _waits_beyond(self, than: timedelta) -> bool:
        due = self.next_due
        return self.waiting_only and waits_longer(self.state, due, self._clock.now(), than)

    @property
    def next_due(self) -> datetime | None:
        """The earliest time at which something happens by itself: a timer, a wait, a limit."""
        if self.state.undoing is not None:
            return self.state.undoing.due_at
        timer, limit = self._progress.timers.next_due(self.state), next_limit(self.state)
        return timer if limit is None else min(limit, timer or limit)

    def _drive(self, cause: str | None) -> Awaitable[Outcome]:
        """Run on in a task that is guarded against the steps in it."""
        return run_guarded(self._run_steps, cause)

    async def _run_steps(  # noqa: PLR0912 - every call costs here
        self, task: Guarded, cause: str | None
    ) -> Outcome:
        state, turns = self.state, 0
        progress, outbox, ends = self._progress, self._outbox, self._ends
        self._calling, begun = StepCall(task), False
        try:
            while state.end is None:
                if not begun:  # Else the next step has begun already.
                    if state.undoing is not None:
                        if not await self._undo_one() and not await self._waits_on():
                            break
                        continue
                    if not self._advance(cause):
                        await self._terminate(cause)
                        if state.end is None:
                            continue  # It goes on from its deadline's step.
                    cause = None
                    ends.watch(self._interrupt)
                if outbox.unsettled and not self._may_run_ahead():
                    await outbox.flush()
                begun = False
                if self._must_look_again():
                    continue
                alone = None if self._tasks.running else progress.only_launch
                if alone is None:
                    if not await self._run_beside():
                        break
                    continue
                result = self._run_inline(alone)
                if type(result) is not Returned:
                    await self._run_on(alone, result)
                elif ends.cancel is None and progress.succeed(alone, result):
                    self._attempts.forget(alone.step.id)
                    begun = True
                else:
                    self._take(alone.step.id, result)
                turns += 1
                if turns % STEPS_PER_TURN == 0:
                    await asyncio.sleep(0)
            if outbox.unsettled:
                await outbox.flush()
            return outcome_of(state, progress.raised)
        finally:
            self._outbox.close()
            self._ends.close()
            if self._tasks.is_busy:
                await self._tasks.stop()

    def _must_look_again(self) -> bool:
        """Stop what nothing waits for any more; say whether the end is to be decided first."""
        progress, state = self._progress, self._progress.state
        if progress.stops:
            self._tasks.stop_these(progress.stops)
        at_an_end = state.maps and progress.at_an_end
        return bool(state.end or self._ends.cancel or at_an_end)

    def _may_run_ahead(self) -> bool:
        """Say whether what is next may begin before the log has what is before it."""
        if not self._outbox.may_wait or self.state.end or self._ends.cancel:
            return False
        launches, pure = self._progress.launches, self.state.plan.pure_steps
        is_pure = all(step_id in pure for step_id, _ in launches)
        return bool(launches or self._tasks.running) and is_pure and self._outbox.flush_later()

    def _advance(self, cause: str | None) -> bool:
        """Decide what follows from the state as it is; False if that is the execution's end."""
        progress, clock = self._progress, self._clock.now
        if self._answers.accepted:
            progress.take_answers(self._answers, clock())
        if self._ends.cancel is not None:
            return False
        if progress.timers.heap:
            progress.end_waits(clock())
        if progress.state.maps:
            progress.end_maps()
        # Asked where every way to a step's begin has come together.
        if completion.must_end(progress.state, clock):
            return False
        progress.begin_steps(cause)
        return True

    async def _terminate(self, cause: str | None) -> None:
        """Stop what runs and decide the end of a failed or cancelled execution."""
        await self._tasks.stop()
        self._take_results()  # What had ended before has ended.
        self._ends.fold(cause)

    async def _undo_one(self) -> bool:
        assert self._calling is not None, "it runs"
        self._inline = True
        try:
            return await self._undo.step(self._calling)
        finally:
            self._inline = False
            self._calling = StepCall(self._calling.task)

    async def _waits_on(self) -> bool:
        """Wait for what a compensation waits for; False where that is long."""
        if self._park_over is not None and self._waits_beyond(self._park_over):
            return False
        if self._undo.resumed is None:
            await self._wait_for_wakeup()
        return True

    def _run_inline(self, visit: Visit) -> BegunAttempt:
        """Begin the one step that lives in this task."""
        assert self._calling is not None, "it runs"
        self._progress.launches.clear()
        self._inline = True
        begun = self._attempts.begin(self._progress.state, visit, self._calling)
        self._inline = type(begun) is not Returned
        return begun

    async def _run_on(self, visit: Visit, begun: BegunAttempt) -> None:
        """Bring an attempt to its end that waits."""
        assert self._calling is not None, "it runs"
        try:
            result = await begun  # type: ignore[misc]
        except StepStopped:  # By `cancel` or a limit.
            self._calling = StepCall(self._calling.task)
            return
        finally:
            self._inline = False
        self._take(visit.step.id, result)

    async def _run_beside(self) -> bool:
        """Run steps in tasks of their own until something happens; False where that is long."""
        self._launch_all()
        if self._park_over is not None and self._waits_beyond(self._park_over):
            return False
        await self._wait_for_wakeup()
        self._take_results()
        return True

    def _launch_all(self) -> None:
        launches, self._progress.launches = self._progress.launches, []
        for step_id, expired in launches:
            self._tasks.launch(self.state, self.state.visits[step_id], expired=expired)

    def _take_results(self) -> None:
        for step_id, result in self._tasks.take():
            self._take(step_id, result)

    def _take(self, step_id: str, result: AttemptResult) -> None:
        progress = self._progress
        progress.take(step_id, result)
        if step_id not in progress.state.visits:
            self._attempts.forget(step_id)

    async def _wait_for_wakeup(self) -> None:
        """Wait for a result, a command or a due time."""
        if not (self._tasks.has_results or self._answers.accepted or self._ends.cancel is not None):
            await self._wakeup.sleep(self.next_due)
