"""One attempt to undo a completed step: its method called, or the class that its plan names."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from executor_service.engine.state import State
from executor_service.engine.user_code import call
from executor_service.engine.values import copy_json, plain
from executor_service.engine.visit import Undone, Visit
from executor_service.ports.runtime import Clock
from executor_service.runtime.attempt import Attempts
from executor_service.runtime.heartbeats import Heartbeats
from executor_service.runtime.step_data import data_of
from executor_service.runtime.step_invocation import StepCall
from executor_service.steps.step import Step, StepContext
from steplog_contracts.payload import JsonValue

# Records what the code says of itself.
Says = Callable[[JsonValue], None]


class UndoCall:
    """Calls what undoes the steps of one execution."""

    def __init__(self, attempts: Attempts, clock: Clock) -> None:
        self._attempts = attempts
        self._clock = clock

    async def run(self, state: State, done: Undone, calling: StepCall, says: Says) -> JsonValue:
        """Undo a step once and return what its code returned; raises what that raised."""
        plan, undoing = done.step.compensation, state.undoing
        assert plan is not None, "only such steps are undone"
        assert undoing is not None, "asked for while undoing"
        made, method, args = self._prepared(state, done)
        # Its own key of idempotency: what undoes is no repeat of what was done.
        step = replace(
            done.step, id=f"{done.step.id}:compensate", timeout_seconds=plan.timeout_seconds
        )
        visit = Visit(step, done.iteration, done.scope, -1, attempt=undoing.attempt)
        heartbeats = Heartbeats(self._clock, lambda _, progress: says(progress))
        made.context = StepContext(
            state.execution_id, step.id, visit.iteration, visit.attempt, heartbeats.heard,
            undoing.progress,
        )  # fmt: skip
        heartbeats.begin(visit, calling)
        try:
            return call(plain, await calling.run(method, step, *args))
        finally:
            left = heartbeats.end(visit)
            if left is not None:
                says(left)

    def _prepared(
        self, state: State, done: Undone
    ) -> tuple[Step, Callable[..., Any], tuple[Any, ...]]:
        """Return the object, its method, and what that is given."""
        plan, step = done.step.compensation, done.step
        assert plan is not None, "only such steps are undone"
        visit = Visit(step, done.iteration, done.scope, -1, input=done.input)
        visit.evaluated_at = done.evaluated_at
        data, output = data_of(visit), copy_json(done.output)
        if plan.made_as is None:
            made = self._attempts.object_for(state, visit)
            return made, getattr(made, plan.method or ""), (data, output)
        made = self._attempts.object_named(plan.made_as)
        data.update(output if type(output) is dict else {})
        return made, made.run, (data,)
