"""`Pipeline`: the only executor. What a caller in the same process holds."""

import asyncio
import logging
import uuid
from collections import OrderedDict
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any, Final

from executor_service.adapters.system_clock import SystemClock
from executor_service.definitions.blueprint import Blueprint, compile_steps
from executor_service.definitions.step_loader import Allowlist
from executor_service.engine.snapshot import restore
from executor_service.engine.state import State
from executor_service.engine.values import plain
from executor_service.errors import CommandNotApplicable, ResultNotJson, RunCancelled, RunFailed
from executor_service.library.event_publisher import recorder_of
from executor_service.library.run_result import RunResult
from executor_service.ports.runtime import Clock
from executor_service.runtime.execution import Execution, Outcome
from executor_service.runtime.parent_execution import ParentExecution
from executor_service.steps.service_registry import ServiceRegistry
from executor_service.steps.step import ExecutionContext, Step
from steplog_contracts.payload import JsonObject, JsonValue
from steplog_contracts.refusal_codes import RefusalCode

# Answered waits that one Pipeline object remembers, to refuse a second answer.
ANSWERS_REMEMBERED: Final = 10_000
MAX_WARNINGS_LOGGED: Final = 100

_log = logging.getLogger(__name__)


class Pipeline:
    """A pipeline ready to be run, any number of times and at once; runs share nothing.

    `steps` are step objects, copied for each run; `flow` is `{"start_at", "paths"}`. Made from a
    definition by `create_pipeline_from_json`.

    Raises:
        DefinitionRefused: steps and flow don't make a pipeline; everything wrong is listed.
    """

    def __init__(  # noqa: PLR0913 - the names users of the older library pass
        self,
        name: str,
        steps: Sequence[Step],
        flow: JsonObject,
        services: ServiceRegistry | None = None,
        enable_telemetry: bool = True,
        loop_config: JsonObject | None = None,
        checkpointer: Any = None,
        *,
        blueprint: Blueprint | None = None,
        clock: Clock | None = None,
    ) -> None:
        self.name = name
        self.steps = list(steps)
        self.flow = flow
        self.services = services
        self.enable_telemetry = enable_telemetry
        self.loop_config = loop_config
        self.checkpointer = checkpointer
        self._clock = clock or SystemClock()
        self._answered: OrderedDict[str, None] = OrderedDict()
        self.blueprint = blueprint or compile_steps(
            self.steps, _definition(name, self.steps, flow, loop_config), Allowlist.everything()
        )
        for warning in self.blueprint.warnings[:MAX_WARNINGS_LOGGED]:
            _log.warning("Pipeline %s: %s", name, warning)

    async def run(
        self,
        input_data: JsonObject | None = None,
        execution_context: ExecutionContext | None = None,
        *,
        execution_id: str | None = None,
        parameters: JsonObject | None = None,
        metadata: JsonObject | None = None,
        on_start: Callable[[Execution], None] | None = None,
    ) -> JsonObject:
        """Run from the start and return `{"input", "output", "steps": [...]}`.

        Each entry of `steps` is `{"step_name", "step_index", "result", "status"}`, in the order in
        which steps ended. Where only waits for people are left the result has `"status":
        "waiting_for_human"`, `"waiting_step"`, `"interaction_id"`, and goes on with `resume`.
        `on_start` is given the running execution, to cancel it from elsewhere.

        Raises:
            InputRefused: the input breaks the schema, or a required parameter is missing.
            RunFailed: the execution failed; the step's own exception is its `__cause__`.
            RunCancelled: the execution was cancelled.
        """
        execution_id = execution_id or self._execution_id(execution_context)
        started = self.blueprint.started(
            input_data,
            parameters=parameters,
            metadata=metadata or (execution_context.metadata if execution_context else None),
            pipeline_id=execution_context.pipeline_id if execution_context else None,
            now=self._clock.now(),
        )
        result = RunResult(input_data)
        execution = self._execution(execution_id, result)
        if on_start is not None:
            on_start(execution)
        return await self._ended_or_waiting(execution, result, execution.start(started))

    async def resume(
        self, waiting_result: JsonObject, human_input: JsonValue, step_id: str | None = None
    ) -> JsonObject:
        """Answer a wait of an earlier `run` or `resume` and go on; returns what `run` does.

        `waiting_result` is what that call returned; it is plain JSON and may have been stored.

        Raises:
            CommandNotApplicable: the step does not wait, was answered already, its wait expired,
                or several steps wait and none is named.
            RunFailed, RunCancelled: as of `run`.
        """
        state = self._restored(waiting_result)
        result = RunResult(waiting_result["input"], waiting_result["steps"])
        execution = self._execution(waiting_result["execution_id"], result)
        execution.state = state
        interaction_id = execution.resume(step_id, human_input)
        self._refuse_second_answer(interaction_id)
        return await self._ended_or_waiting(execution, result, execution.resume_run())

    async def go_on(self, waiting_result: JsonObject) -> JsonObject:
        """Go on from a waiting result without an answer: waits that have expired end."""
        result = RunResult(waiting_result["input"], waiting_result["steps"])
        execution = self._execution(waiting_result["execution_id"], result)
        execution.state = self._restored(waiting_result)
        return await self._ended_or_waiting(execution, result, execution.resume_run())

    def has_loops(self) -> bool:
        """Say whether a step can come round to itself."""
        return bool(self.blueprint.plan.steps_on_cycles)

    def _build_execution_path(self) -> list[str]:
        """Return the steps the start leads to, in the order of their paths; for display only."""
        plan = self.blueprint.plan
        order = {plan.start_at: None}
        for step_id in (queue := [plan.start_at]):
            for path in plan.steps[step_id].outgoing:
                if path.end is None and path.to_id not in order:
                    order[path.to_id] = None
                    queue.append(path.to_id)
        return list(order)

    def _execution_id(self, context: ExecutionContext | None) -> str:
        if context is not None:
            return context.execution_id
        registered = self.services.get("execution_id") if self.services else None
        return str(registered or uuid.uuid4())

    def _execution(self, execution_id: str, result: RunResult) -> Execution:
        tracker = self.services.get("execution_tracker") if self.services else None
        kind = ParentExecution if self.blueprint.plan.has_children else Execution
        return kind(
            self.blueprint,
            execution_id,
            recorder_of(tracker, execution_id),
            clock=self._clock,
            services=self.services,
            park_over=timedelta.max,  # For people alone: a caller waits for times.
            on_event=result.take,
        )

    async def _ended_or_waiting(
        self, execution: Execution, result: RunResult, running: Any
    ) -> JsonObject:
        try:
            outcome: Outcome = await running
        except asyncio.CancelledError:
            await execution.end_cancelled("The task that ran the pipeline was cancelled.")
            raise
        returned = result.returned(outcome, execution.execution_id)
        if outcome.error is not None:
            raise RunFailed(outcome.error, returned) from outcome.raised
        if outcome.status == "cancelled":
            raise RunCancelled(result.cancel_reason, returned)
        return returned

    def _restored(self, waiting_result: JsonObject) -> State:
        if waiting_result.get("status") != "waiting_for_human" or "state" not in waiting_result:
            raise CommandNotApplicable(
                RefusalCode.NOT_WAITING, "This result does not wait for a person."
            )
        return restore(waiting_result["state"], self.blueprint.plan, waiting_result["execution_id"])

    def _refuse_second_answer(self, interaction_id: str) -> None:
        if interaction_id in self._answered:
            raise CommandNotApplicable(
                RefusalCode.ALREADY_ANSWERED, "This wait was answered already."
            )
        self._answered[interaction_id] = None
        if len(self._answered) > ANSWERS_REMEMBERED:
            self._answered.popitem(last=False)


def _definition(
    name: str, steps: Sequence[Step], flow: JsonObject, loop_config: JsonObject | None
) -> JsonObject:
    """Return the definition that step objects stand for, as it is recorded."""
    definition: JsonObject = {
        "name": name,
        "steps": [
            {
                "id": step.name,
                "module": type(step).__module__,
                "step_class": type(step).__qualname__,
                "config": _plain_config(step),
            }
            for step in steps
        ],
        "flow": flow,
    }
    if loop_config is not None:
        definition["loop_config"] = loop_config
    return definition


def _plain_config(step: Step) -> JsonObject:
    """Return what of a step's configuration is JSON; objects in it stay with the step alone."""
    config = getattr(step, "config", None) or {}
    kept: JsonObject = {}
    for key, value in config.items():
        try:
            kept[key] = plain(value)
        except ResultNotJson:
            continue
    return kept
