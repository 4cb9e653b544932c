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
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from executor_service.definitions.blueprint import Blueprint
from executor_service.engine import completion
from executor_service.engine.limits import next_limit
from executor_service.engine.state import State, initial
from executor_service.engine.visit import Visit
from executor_service.errors import CommandNotApplicable
from executor_service.payloads.claim_check import ClaimCheck
from executor_service.ports.runtime import Clock, Randomness, Recorder
from executor_service.runtime.attempt import AttemptResult, Attempts
from executor_service.runtime.event_buffer import Outbox
from executor_service.runtime.guarded_loop import Guarded, run_guarded
from executor_service.runtime.human_answers import Answer, Answers, CancelRequest
from executor_service.runtime.outcome import Outcome, outcome_of
from executor_service.runtime.run_end import RunEnd
from executor_service.runtime.state_machine import Progress
from executor_service.runtime.step_invocation import StepCall, StepStopped
from executor_service.runtime.step_tasks import StepTasks
from executor_service.runtime.timers import only_waits, waits_longer
from executor_service.runtime.wakeup import Wakeup
from executor_service.steps.service_registry import ServiceRegistry
from steplog_contracts import events as ev
from steplog_contracts.payload import JsonValue
from steplog_contracts.refusal_codes import RefusalCode

__all__ = ["Execution", "Outcome"]

# Steps that may end without ever waiting before the event loop gets its turn.
STEPS_PER_TURN: Final = 128


class Execution:
    """One execution, from its first event to its last."""

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
        """`recorder` is None where nobody keeps the events. With `park_over`, `start` and `go_on`
        return when only waits are left: for people, or for a time that far off."""
        self.execution_id = execution_id
        self._clock, self._park_over = clock, park_over
        self._wakeup, pure = Wakeup(clock), blueprint.plan.pure_steps
        self._outbox = Outbox(recorder, on_event, clock, pure, self._wakeup.wake)
        self._progress = Progress(initial(blueprint, execution_id), self._outbox, clock)
        self._attempts = self.attempts_kind(
            blueprint, execution_id, clock=clock, services=services, randomness=randomness,
            progressed=self._progress.progressed, claim_check=claim_check,
        )  # fmt: skip
        self._ends = RunEnd(self._progress, clock, self._interrupt)
        self._tasks, self._answers = StepTasks(self._attempts, self._wakeup.wake), Answers()
        self._calling: StepCall | None = None  # Of steps in the execution's own task.
        self._inline = False  # Whether one runs there.

    async def start(
        self,
        started: ev.ExecutionStarted,
        *,
        cause: str | None = None,
        not_before: datetime | None = None,
        asked_at: datetime | None = None,
    ) -> Outcome:
        """Record the beginning together with the first step's, and run on; or its end, where its
        turn came too late after it was asked for.

        Raises:
            RecordingLost: this process may no longer write the execution.
        """
        self._progress.begin(started, cause, not_before, asked_at)
        return await self._drive(cause)

    async def go_on(self, state: State | None = None) -> Outcome:
        """Run on from a state folded from recorded events, or from where this one paused."""
        if state is not None and state is not self.state:
            self.state = state
        if self._progress.take_up(self._clock.now()):
            self._outbox.never_wait()  # It may be what the process died of: count its attempts.
        return await self._drive(None)

    def cancel(
        self, reason: str, requested_by: str | None = None, cause: str | None = None
    ) -> None:
        """Ask for the execution to end as cancelled; where it is not running, `go_on` ends it.

        Raises:
            CommandNotApplicable: `already_ended`, `already_cancelled`.
        """
        self._refuse_if_ended()
        if self._ends.cancel is not None:
            raise CommandNotApplicable(
                RefusalCode.ALREADY_CANCELLED, f"{self.execution_id} is being ended."
            )
        self._ends.cancel = CancelRequest(reason, requested_by, cause)
        self._interrupt()

    def resume(
        self,
        step_id: str | None,
        human_input: JsonValue,
        responded_by: str | None = None,
        cause: str | None = None,
        *,
        for_anyone: bool = False,
    ) -> str:
        """Answer a waiting step and return its interaction id; where the execution is not running,
        `go_on` takes it from there. With `for_anyone` it may be a question to others.

        Raises:
            CommandNotApplicable: see `Answers.accept`; `already_ended`.
        """
        self._refuse_if_ended()
        answer = Answer(human_input, responded_by, cause, for_anyone)
        interaction_id = self._answers.accept(self.state, step_id, answer, self._clock.now())
        self._wakeup.wake()
        return interaction_id

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
    def runs_steps(self) -> bool:
        """Whether the code of a step runs just now."""
        return self._inline or bool(self._tasks)

    @property
    def settled(self) -> bool:
        """Whether all that was asked of it and all that came of its steps is given to the log."""
        pending = self._answers.accepted or self._progress.launches or self._tasks.has_results
        return not (pending or self._outbox.unsettled or self._ends.cancel is not None)

    @property
    def waiting_only(self) -> bool:
        """Whether it can only go on when a person answers or its next time comes."""
        return self.settled and only_waits(self.state)

    def _waits_longer(self, than: timedelta) -> bool:
        due = self.next_due
        return self.waiting_only and waits_longer(self.state, due, self._clock.now(), than)

    @property
    def next_due(self) -> datetime | None:
        """The earliest time at which something happens by itself: a timer, a wait, a limit."""
        timer, limit = self._progress.timers.next_due(self.state), next_limit(self.state)
        return timer if limit is None else min(limit, timer or limit)

    async def end_cancelled(self, reason: str) -> None:
        """Record the end of an execution whose task was cancelled; for library use."""
        if self.state.started and not self.state.ended:
            now = self._clock.now()
            self._progress.fold(completion.cancelling(self.state, reason, None, now), now)
            await self._outbox.flush()

    async def _drive(self, cause: str | None) -> Outcome:
        """Run on in a task that is guarded against the steps in it."""
        return await run_guarded(self._run_steps, cause)

    async def _run_steps(self, task: Guarded, cause: str | None) -> Outcome:
        state, turns = self.state, 0
        self._calling = StepCall(task)
        try:
            while state.end is None:
                if not self._advance(cause):
                    await self._come_to_an_end(cause)
                    if state.end is None:
                        continue  # It goes on from its deadline's step.
                cause = None
                self._ends.watch()
                if self._outbox.unsettled and not self._may_run_ahead():
                    await self._outbox.flush()
                if self._progress.stops:
                    self._tasks.stop_these(self._progress.stops)
                if state.end or self._ends.cancel or self._progress.at_an_end:
                    continue
                alone = None if self._tasks else self._progress.only_launch
                if alone is not None:
                    await self._run_inline(alone, self._calling)
                    turns += 1
                    if turns % STEPS_PER_TURN == 0:
                        await asyncio.sleep(0)
                    continue
                self._launch_all()
                if self._park_over is not None and self._waits_longer(self._park_over):
                    break
                await self._something_happens()
                self._take_results()
            await self._outbox.flush()
            return outcome_of(state, self._progress.raised)
        finally:
            self._outbox.close()
            self._ends.close()
            await self._tasks.stop()

    def _may_run_ahead(self) -> bool:
        """Say whether what is next may begin before the log has what is before it."""
        if not self._outbox.may_wait or self.state.end or self._ends.cancel:
            return False
        launches, pure = self._progress.launches, self.state.plan.pure_steps
        is_pure = all(step_id in pure for step_id, _ in launches)
        return bool(launches or self._tasks) and is_pure and self._outbox.flush_later()

    def _advance(self, cause: str | None) -> bool:
        """Decide what follows from the state as it is; False if that is the execution's end."""
        progress, clock = self._progress, self._clock.now
        if self._answers.accepted:
            progress.take_answers(self._answers, clock())
        if self._ends.cancel is not None:
            return False
        if progress.timers.heap:
            progress.end_waits(clock())
        progress.end_maps()
        # Asked where every way to a step's begin has come together.
        if completion.must_end(progress.state, clock):
            return False
        progress.begin_steps(cause)
        return True

    async def _come_to_an_end(self, cause: str | None) -> None:
        """Stop what runs and decide the end of a failed or cancelled execution."""
        await self._tasks.stop()
        self._take_results()  # What had ended before has ended.
        self._ends.fold(cause)

    async def _run_inline(self, visit: Visit, calling: StepCall) -> None:
        self._progress.launches.clear()
        self._inline = True
        try:
            result = await self._attempts.run(self.state, visit, calling)
        except StepStopped:  # By `cancel` or a limit.
            self._calling = StepCall(calling.task)
            return
        finally:
            self._inline = False
        self._take(visit.step.id, result)

    def _launch_all(self) -> None:
        launches, self._progress.launches = self._progress.launches, []
        for step_id, expired in launches:
            self._tasks.launch(self.state, self.state.visits[step_id], expired=expired)

    def _take_results(self) -> None:
        for step_id, result in self._tasks.take():
            self._take(step_id, result)

    def _take(self, step_id: str, result: AttemptResult) -> None:
        self._progress.take(step_id, result)
        if step_id not in self.state.visits:
            self._attempts.forget(step_id)

    async def _something_happens(self) -> None:
        """Wait for a result, a command or a due time."""
        if not (self._tasks.has_results or self._answers.accepted or self._ends.cancel is not None):
            await self._wakeup.sleep(self.next_due)

    def _refuse_if_ended(self) -> None:
        if self.state.ended:
            raise CommandNotApplicable(
                RefusalCode.EXECUTION_ENDED,
                f"Execution {self.execution_id} has ended and stays as it is; use retry or fork.",
            )
