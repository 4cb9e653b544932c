"""An execution that has others run: their ends reach it, and its own end is theirs."""

from typing import Any

from executor_service.engine import child_decisions, completion
from executor_service.engine.child_decisions import ChildEnd
from executor_service.ports.children import Children
from executor_service.runtime.attempt_result import AttemptResult
from executor_service.runtime.child_calls import ChildCalls
from executor_service.runtime.execution import Execution

_REASON = "The execution that began it ended."


class ParentExecution(Execution):
    """One execution of a definition with steps of type `pipeline`."""

    attempts_kind = ChildCalls
    _attempts: ChildCalls

    def __init__(self, *args: Any, children: Children | None = None, **named: Any) -> None:
        """`children` is None where no other pipeline can be run; the rest as of `Execution`."""
        super().__init__(*args, **named)
        self._attempts.children = children
        self._child_ends: list[ChildEnd] = []

    def child_ended(self, end: ChildEnd) -> bool:
        """Take how a child ended; False if no step waits for it, or none does any more."""
        if self.state.ended or child_decisions.awaited(self.state, end) is None:
            return False
        self._child_ends.append(end)
        self._wakeup.wake()
        return True

    @property
    def settled(self) -> bool:
        """Whether all that was asked of it and all that came of its steps is given to the log."""
        return super().settled and not self._child_ends

    @property
    def waiting_only(self) -> bool:
        """Whether it can only go on when others end or answer, or its next time comes."""
        return super().waiting_only and not self._tasks.running  # One may be calling a child off.

    @property
    def waits_for_others(self) -> bool:
        """Whether another execution's end is waited for."""
        return any(visit.status == "child" for visit in self.state.visits.values())

    def _advance(self, cause: str | None) -> bool:
        if self._child_ends and self._ends.cancel is None:
            self._take_what_came_before(cause)
        ends, self._child_ends = self._child_ends, []
        for end in ends:
            visit = child_decisions.awaited(self.state, end)
            if visit is None:
                continue
            if visit.status != "child":  # That it was begun is not on record yet.
                self._child_ends.append(end)
                continue
            now, fraction = self._clock.now(), self._attempts.delay_fraction()
            events = child_decisions.ended(self.state, visit, end, now, fraction)
            self._progress.fold(events, now, end.cause)
        goes_on = super()._advance(cause)
        if self._progress.given_up:
            self._outbox.first = self._call_off_children
        return goes_on

    def _take_what_came_before(self, cause: str | None) -> None:
        """Take answers and begin joins before ends of children are taken: those of a branch that
        is given up were called off, perhaps by a process that died before that was on record."""
        if self._answers.accepted:
            self._progress.take_answers(self._answers, self._clock.now())
        if self.state.plan.joins and not completion.must_end(self.state, self._clock.now):
            self._progress.begin_steps(cause)

    async def _call_off_children(self) -> None:
        """Call them off before it is on record that they are given up, and after what led to that
        is. What runs of them, which may be asking for one just now, is stopped first."""
        given_up, self._progress.given_up = self._progress.given_up, []
        of_children = [event for event in given_up if self._attempts.may_have_child(event)]
        self._tasks.stop_these([event.step_id for event in of_children])
        if of_children:
            await self._outbox.record_before(given_up[0])
        for event in of_children:
            await self._attempts.cancel_given_up(self.state, event)

    async def _terminate(self, cause: str | None) -> None:
        """Call children off before the end is on record, and after its reason is: what was asked
        twice is done once."""
        await self._tasks.stop()
        self._take_results()
        await self._outbox.flush()
        await self._attempts.cancel_all(self.state, _REASON, compensate=self._undoes)
        await super()._terminate(cause)

    @property
    def _undoes(self) -> bool:
        """Whether a child that is called off is to undo what it did: once it has ended, nobody
        could ask for that."""
        cancel = self._ends.cancel
        return self.state.plan.compensates or (cancel is not None and cancel.compensate)

    def _take(self, step_id: str, result: AttemptResult) -> None:
        if step_id in self.state.visits:  # Its child's end may have come first.
            super()._take(step_id, result)
