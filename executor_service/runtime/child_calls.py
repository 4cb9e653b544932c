"""Attempts at steps that have another pipeline run: asked for, and called off.

Nothing here waits for the child: its end comes as a command, so its parent takes no memory
meanwhile. Asking twice is harmless, for the child's id follows from the attempt.
"""

from executor_service.engine.child_decisions import (
    ChildBegun,
    ChildTimedOut,
    child_at,
    child_of,
    retried_child,
)
from executor_service.engine.child_input import child_input
from executor_service.engine.child_plan import MAX_CHILDREN, MAX_DEPTH
from executor_service.engine.item_scope import reading_of
from executor_service.engine.state import State
from executor_service.engine.user_code import Raised
from executor_service.engine.visit import Visit
from executor_service.errors import ChildRefused
from executor_service.ports.children import Children
from executor_service.runtime.attempt import Attempts, BegunAttempt
from executor_service.runtime.attempt_result import AttemptResult
from executor_service.runtime.step_invocation import StepCall
from steplog_contracts.events import StepCancelled
from steplog_contracts.parent_visit import ParentVisit

_REASON = "The step that began it ended."
_GIVEN_UP = "Nothing waits any more for the branch that began it."


class ChildCalls(Attempts):
    """The attempts of an execution whose definition has steps of type `pipeline`."""

    children: Children | None = None

    def begin(self, state: State, visit: Visit, calling: StepCall) -> BegunAttempt:
        """Run the step once; one with a child asks for it."""
        if visit.step.child is None:
            return super().begin(state, visit, calling)
        return self._begin_child(state, visit, calling)

    async def _begin_child(self, state: State, visit: Visit, calling: StepCall) -> AttemptResult:
        began_s = self._monotonic_s()
        try:
            await calling.hold(self._ask_for(state, visit))
        except Raised as error:
            return await self._failed(state, visit, error.error, began_s, calling, None)
        return ChildBegun(child_of(state, visit))

    async def expired(self, state: State, visit: Visit, calling: StepCall) -> AttemptResult:
        """Return what answers for a wait that expired; a child that took too long is called off."""
        if visit.step.child is None:
            return await super().expired(state, visit, calling)
        try:
            undone = state.plan.compensates
            await calling.hold(self.cancel_child(state, visit, compensate=undone))
        except Raised as error:
            return await self._failed(state, visit, error.error, self._monotonic_s(), calling, None)
        return ChildTimedOut(self.delay_fraction())

    def delay_fraction(self) -> float:
        """Return the random part of a delay before another child is begun."""
        return self._randomness()

    async def cancel_all(self, state: State, reason: str, *, compensate: bool) -> None:
        """Call off the children of open visits that are to end with their parent."""
        for visit in list(state.visits.values()):
            child = visit.step.child
            if child is not None and child.cancelled_with_parent and visit.attempt:
                await self.cancel_child(state, visit, reason, compensate=compensate)

    async def cancel_child(
        self, state: State, visit: Visit, reason: str = _REASON, *, compensate: bool
    ) -> None:
        """Call off the child of a visit."""
        if self.children is not None and visit.status in ("running", "child"):
            child_id = child_of(state, visit)
            await self.children.cancel(child_id, reason, compensate=compensate)

    def may_have_child(self, given_up: StepCancelled) -> bool:
        """Say whether a visit that is given up may have a child that is to end with it."""
        step = self._blueprint.plan.step_of(given_up.step_id)
        child = None if step is None else step.child
        return child is not None and child.waits and child.cancelled_with_parent

    async def cancel_given_up(self, state: State, given_up: StepCancelled) -> None:
        """Call off the child of such a visit."""
        if self.children is not None:
            visit = (given_up.step_id, given_up.iteration, given_up.attempt)
            undone = state.plan.compensates
            await self.children.cancel(child_at(state, *visit), _GIVEN_UP, compensate=undone)

    async def _ask_for(self, state: State, visit: Visit) -> None:
        step, child = visit.step, visit.step.child
        assert child is not None, "asked for only where there is one"
        if child.has_input:
            child_input(child, reading_of(state, visit), step.id)  # It raises where it can't be.
        if self.children is None:
            raise ChildRefused(
                "Pipeline.run has no way to run other pipelines; run this one with an executor, or "
                "in embedded mode."
            )
        if state.depth >= MAX_DEPTH:
            raise ChildRefused(
                f"Step '{step.id}' would begin an execution {state.depth + 1} below the first; "
                f"{MAX_DEPTH} is the most."
            )
        if state.children >= MAX_CHILDREN:
            raise ChildRefused(
                f"This execution has begun {MAX_CHILDREN} others, which is the most that one may."
            )
        link = ParentVisit(
            step_id=step.id,
            iteration=visit.iteration,
            attempt=visit.attempt,
            depth=state.depth + 1,
            waits=child.waits,
        )
        retried = retried_child(state, step.id, visit.iteration, visit.attempt)
        if retried is not None:
            await self.children.retry(
                retried.execution_id, origin_id=retried.origin_execution_id,
                parent_id=state.execution_id, parent_visit=link,
            )  # fmt: skip
            return
        await self.children.begin(
            child_of(state, visit),
            pipeline=child.pipeline,
            definition=child.definition,
            input_data=visit.input,
            parent_id=state.execution_id,
            parent_visit=link,
        )
