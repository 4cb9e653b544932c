"""One execution as it is begun, gone on with, cancelled and answered; its loop is `StepLoop`."""

from datetime import datetime

from executor_service.engine import completion
from executor_service.engine.state import State
from executor_service.errors import CommandNotApplicable
from executor_service.runtime.human_answers import Answer, CancelRequest
from executor_service.runtime.outcome import Outcome
from executor_service.runtime.step_loop import StepLoop
from steplog_contracts import events as ev
from steplog_contracts.payload import JsonValue
from steplog_contracts.refusal_codes import RefusalCode

__all__ = ["Execution", "Outcome"]


class Execution(StepLoop):
    """One execution, from its first event to its last."""

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

    async def resume_run(self, state: State | None = None) -> Outcome:
        """Run on from a state folded from recorded events, or from where this one paused."""
        if state is not None and state is not self.state:
            self.state = state
        if self._progress.resume(self._clock.now()):
            self._outbox.never_wait()  # It may be what the process died of: count its attempts.
        return await self._drive(None)

    def cancel(
        self,
        reason: str,
        requested_by: str | None = None,
        cause: str | None = None,
        *,
        compensate: bool = False,
    ) -> None:
        """Ask for the execution to end as cancelled; where it is not running, `resume_run` ends it.
        With `compensate` its completed steps are undone first; of one that is being undone, what
        is left stays as it is.

        Raises:
            CommandNotApplicable: `already_ended`, `already_cancelled`.
        """
        self._refuse_if_ended()
        if self._ends.cancel is not None:
            raise CommandNotApplicable(
                RefusalCode.ALREADY_CANCELLED, f"{self.execution_id} is being ended."
            )
        self._ends.cancel = CancelRequest(reason, requested_by, cause, compensate)
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
        `resume_run` takes it from there. With `for_anyone` it may be a question to others.

        Raises:
            CommandNotApplicable: see `Answers.accept`; `already_ended`.
        """
        self._refuse_if_ended()
        if self.state.undoing is not None:
            return self._resume_undoing(cause)
        answer = Answer(human_input, responded_by, cause, for_anyone)
        interaction_id = self._answers.accept(self.state, step_id, answer, self._clock.now())
        self._wakeup.wake()
        return interaction_id

    @property
    def runs_steps(self) -> bool:
        """Whether the code of a step runs just now."""
        return self._inline or bool(self._tasks.running)

    async def end_cancelled(self, reason: str) -> None:
        """Record the end of an execution whose task was cancelled; for library use."""
        if self.state.started and not self.state.ended:
            now = self._clock.now()
            self._progress.fold(completion.cancelling(self.state, reason, None, now), now)
            await self._outbox.flush()

    def _resume_undoing(self, cause: str | None) -> str:
        undoing = self.state.undoing
        if undoing is None or undoing.status != "stuck" or self._undo.resumed is not None:
            raise CommandNotApplicable(
                RefusalCode.NOT_WAITING, "Its completed steps are being undone; nothing waits."
            )
        self._undo.resumed = (cause,)
        self._wakeup.wake()
        return ""

    def _refuse_if_ended(self) -> None:
        if self.state.ended:
            raise CommandNotApplicable(
                RefusalCode.EXECUTION_ENDED,
                f"Execution {self.execution_id} has ended and stays as it is; use retry or fork.",
            )
