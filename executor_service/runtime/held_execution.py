"""An execution that can't be gone on with here: its code is gone, or its definition can't be read.

Ending it needs none of that. What is recorded says which steps are open, and a cancel records their
end and its own.
"""

from collections.abc import Sequence
from typing import Final

from executor_service.definitions.blueprint import Blueprint
from executor_service.engine.plan import Plan
from executor_service.engine.state import State
from executor_service.errors import CommandNotApplicable
from executor_service.log.recovery import RecoveredExecution
from executor_service.ports.runtime import Clock, Recorder
from executor_service.runtime.execution import Execution
from executor_service.runtime.outcome import Outcome
from steplog_contracts import events as ev
from steplog_contracts.records import ExecutionStatus
from steplog_contracts.refusal_codes import RefusalCode

UNREADABLE: Final = "An event of it can't be read by this version; run the version that wrote it."
_END_A_VISIT = (ev.StepCompleted, ev.StepFailed, ev.StepSkipped, ev.StepCancelled)


class ExecutionHeld(CommandNotApplicable):
    """Nothing but a cancel can be carried out on an execution here; the text says why."""

    def __init__(self, execution_id: str, reason: object) -> None:
        super().__init__(
            RefusalCode.EXECUTION_HELD,
            f"Execution {execution_id} can't go on in this executor: {reason} Put that right where "
            "the executor runs and restart it, or cancel the execution.",
        )


class HeldExecution(Execution):
    """An execution without its code: it can only be cancelled."""

    def __init__(self, held: RecoveredExecution, recorder: Recorder, clock: Clock) -> None:
        super().__init__(_NO_CODE, held.execution_id, recorder, clock=clock)
        self._held = held
        self._recorder = recorder

    async def resume_run(self, state: State | None = None) -> Outcome:  # noqa: ARG002 - there is none
        """Record the end that was asked for."""
        cancel = self._ends.cancel
        assert cancel is not None, "nothing else is ever asked of it"
        ran = self._clock.now() - self._held.facts[0].time
        events = [
            *_cancelled([fact.event for fact in self._held.facts], cancel.reason),
            ev.ExecutionCancelled(
                reason=cancel.reason,
                requested_by=cancel.requested_by,
                duration_ms=max(0.0, ran.total_seconds() * 1000),
            ),
        ]
        await self._recorder.record(events, cause=cancel.cause)
        return Outcome(ExecutionStatus.CANCELLED, None, None, self.state)


def _cancelled(events: Sequence[ev.Event], reason: str) -> list[ev.Event]:
    visits: dict[str, ev.StepEvent] = {}
    for event in events:
        if isinstance(event, _END_A_VISIT):
            visits.pop(event.step_id, None)
        elif isinstance(event, ev.StepEvent):
            visits[event.step_id] = event
    return [
        ev.StepCancelled(
            step_id=visit.step_id,
            iteration=visit.iteration,
            attempt=visit.attempt,
            item_index=visit.item_index,
            reason=reason,
        )
        for visit in visits.values()
    ]


_NO_CODE: Final = Blueprint(Plan("", None, {}, (), ""), {}, {})
