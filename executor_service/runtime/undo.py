"""Runs a compensation: one step after another, each attempt recorded before and after."""

from functools import partial

from executor_service.engine import compensation
from executor_service.engine.cancelled_visits import stopped
from executor_service.engine.user_code import Raised
from executor_service.engine.visit import Undone
from executor_service.ports.runtime import Clock, Randomness
from executor_service.runtime.attempt import Attempts
from executor_service.runtime.error_info import error_info
from executor_service.runtime.event_buffer import EventBuffer
from executor_service.runtime.guarded_loop import itself
from executor_service.runtime.run_end import RunEnd
from executor_service.runtime.state_machine import StateMachine
from executor_service.runtime.step_invocation import StepCall, StepStopped
from executor_service.runtime.undo_call import UndoCall
from steplog_contracts.payload import JsonValue


class Undo:
    """The compensation of one execution."""

    def __init__(
        self, progress: StateMachine, attempts: Attempts, outbox: EventBuffer, ends: RunEnd,
        clock: Clock, randomness: Randomness,
    ) -> None:  # fmt: skip
        self._progress = progress
        self._call = UndoCall(attempts, clock)
        self._outbox = outbox
        self._ends = ends
        self._clock = clock
        self._randomness = randomness
        self.resumed: tuple[str | None] | None = None  # By which command, where it was stuck.

    async def step(self, calling: StepCall) -> bool:
        """Do what comes next; False where that waits for its time or for a person."""
        state, progress, now = self._progress.state, self._progress, self._clock.now()
        progress.launches.clear()
        for visit in list(state.visits.values()):
            progress.fold([stopped(visit)], now)
        done, cancel = compensation.next_undone(state), self._ends.cancel
        if done is None or cancel is not None:
            by, cause = (None, None) if cancel is None else (cancel.requested_by, cancel.cause)
            progress.fold(compensation.ended(state, now, by), now, cause)
        elif self._waits():
            await self._outbox.flush()
            return False
        else:
            by_command, self.resumed = self.resumed, None
            command = by_command[0] if by_command else None
            progress.fold(compensation.attempt_to_undo(state, done), now, command)
            await self._outbox.flush()
            if state.undoing is not None and state.undoing.status == "running":
                await self._attempt(done, calling)
        await self._outbox.flush()
        return True

    def _waits(self) -> bool:
        state = self._progress.state.undoing
        if state is None or (state.status == "stuck" and self.resumed is None):
            return state is not None
        return state.due_at is not None and state.due_at > self._clock.now()

    async def _attempt(self, done: Undone, calling: StepCall) -> None:
        state, began_s = self._progress.state, self._clock.monotonic_s()
        assert state.undoing is not None, "asked for while undoing"
        attempt, now = state.undoing.attempt, self._clock.now
        try:
            output = await self._call.run(state, done, calling, partial(self._progressed, done))
        except StepStopped:
            return
        except Raised as error:
            raised: BaseException = itself(error.error)
        except Exception as error:
            raised = error
        else:
            took_ms = (self._clock.monotonic_s() - began_s) * 1000
            self._progress.fold(compensation.undone(state, done, output, took_ms), now())
            return
        took_ms = (self._clock.monotonic_s() - began_s) * 1000
        info = error_info(raised, done.step.id, attempt)
        fraction = self._randomness()
        failed = compensation.not_undone(state, done, raised, info, now(), fraction, took_ms)
        self._progress.fold(failed, now())

    def _progressed(self, done: Undone, progress: JsonValue) -> None:
        """Record what the step's undoing says of itself, while it runs."""
        state = self._progress.state
        if state.undoing is not None and state.undoing.status == "running":
            self._progress.fold(compensation.progressed(state, done, progress))
            self._outbox.begin_flush()
