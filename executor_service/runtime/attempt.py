"""One attempt at a step: its code called with its own copy of the data, its result made plain.

Nothing is recorded here. What comes out says what the engine is to decide on: a result, another try
later, or a failure for good.
"""

from collections.abc import Callable, Coroutine
from typing import Any, Final

from executor_service.definitions.blueprint import Blueprint
from executor_service.engine.human_waits import expiry
from executor_service.engine.retry import RetryPolicy
from executor_service.engine.state import State
from executor_service.engine.user_code import Raised, call, call_for
from executor_service.engine.values import ABSENT, plain
from executor_service.engine.visit import Visit
from executor_service.errors import StepSilent
from executor_service.payloads.claim_check import ClaimCheck
from executor_service.ports.runtime import Clock, Randomness
from executor_service.runtime.attempt_result import (
    AttemptResult,
    Called,
    GaveUp,
    Returned,
    TryAgain,
)
from executor_service.runtime.error_info import error_info
from executor_service.runtime.guarded_loop import itself
from executor_service.runtime.heartbeats import Heartbeats, Progressed
from executor_service.runtime.running_step import RUNNING_STEP
from executor_service.runtime.step_data import (
    check_input,
    check_output,
    checked,
    data_of,
    resolved_config,
)
from executor_service.runtime.step_invocation import StepCall, StepStopped, Suspended, is_async
from executor_service.steps.service_registry import ServiceRegistry
from executor_service.steps.step import Step, StepContext
from steplog_contracts.payload import JsonValue

# A step that fell silent is tried again, also where its definition has no `retry`.
OF_SILENT_STEPS: Final = RetryPolicy()
# Begun, the attempt has its result or goes on when it is awaited.
BegunAttempt = Returned | Coroutine[Any, Any, AttemptResult]


class Attempts:
    """Makes the attempts of one execution.

    Each execution has step objects of its own. A step in a cycle keeps its object for the whole
    execution, so attributes it sets are there in its next iteration (in the same process; what must
    last belongs in the data).
    """

    def __init__(
        self,
        blueprint: Blueprint,
        execution_id: str,
        *,
        clock: Clock,
        services: ServiceRegistry | None,
        randomness: Randomness,
        progressed: Progressed,
        claim_check: ClaimCheck | None = None,
    ) -> None:
        self._blueprint = blueprint
        self._execution_id = execution_id
        self._monotonic_s, self._now = clock.monotonic_s, clock.now
        self._services = services
        self._randomness = randomness
        self._heartbeats = Heartbeats(clock, progressed)
        self._claim_check = claim_check
        self._objects: dict[str, tuple[int, Step]] = {}
        self._on_cycles = blueprint.plan.steps_on_cycles

    def begin(self, state: State, visit: Visit, calling: StepCall) -> BegunAttempt:
        """Run the step once; return its result where it comes without waiting, else the rest of
        the attempt. That is to be awaited at once, in this task.

        Raises, awaited:
            StepStopped: `calling.stop` was called; nothing follows from the attempt.
            CancelledError: this task was cancelled by whoever began it.
        """
        began_s = self._monotonic_s()
        self._heartbeats.begin(visit, calling)
        entered = RUNNING_STEP.set((self._execution_id, visit, visit.attempt))
        try:
            output = begun = self._at_once(state, visit, calling)
            kind = type(begun)
            if kind is Suspended or kind is Called or calling.task.cancelled_from_inside:
                return self._rest(state, visit, begun, began_s, calling)
            if output is not None or visit.step.check_output is not None:
                output = checked(visit.step, output)
            if self._claim_check is not None and not self._claim_check.fits(output):
                return self._rest(state, visit, begun, began_s, calling)
            self._heartbeats.end(visit)
            return Returned(output, (self._monotonic_s() - began_s) * 1000)
        except Exception as error:
            return self._rest(state, visit, error, began_s, calling)
        finally:
            RUNNING_STEP.reset(entered)

    async def _rest(
        self, state: State, visit: Visit, begun: Any, began_s: float, calling: StepCall
    ) -> AttemptResult:
        """Bring an attempt to its end that waits, or may have to."""
        entered = RUNNING_STEP.set((self._execution_id, visit, visit.attempt))
        try:
            if isinstance(begun, Exception):
                raise begun
            output = begun
            if type(output) is Suspended or type(output) is Called:
                output = await self._in_time(visit, output, calling)
            elif calling.task.cancelled_from_inside:
                await calling.settle()
            if output is not None or visit.step.check_output is not None:
                output = checked(visit.step, output)
            duration_ms = (self._monotonic_s() - began_s) * 1000
            if self._claim_check is not None and not self._claim_check.fits(output):
                # Now, while the step can still fail for it; this is not its own time.
                await calling.hold(self._claim_check.take_in(output))
            return Returned(output, duration_ms)
        except StepStopped:
            raise
        except Raised as error:
            raised: BaseException = error.error
        except Exception as error:
            raised = error
        finally:
            progress = self._heartbeats.end(visit)
            RUNNING_STEP.reset(entered)
        await calling.settle()
        return await self._failed(state, visit, itself(raised), began_s, calling, progress)

    async def expired(self, state: State, visit: Visit, calling: StepCall) -> AttemptResult:
        """Return what answers for a wait that expired: the fallback, or a failure."""
        began_s = self._monotonic_s()
        return await self._without_retry(state, visit, expiry(visit), began_s, calling)

    def object_for(self, state: State, visit: Visit) -> Step:
        """Return the object that runs a visit's step, its configuration resolved."""
        return call(self._object, state, visit)  # type: ignore[no-any-return]

    def object_named(self, name: str) -> Step:
        """Return an object of the class that is made under a name of its own."""
        made: Step = call(self._blueprint.make_step, name)
        made.services = self._services
        return made

    def forget(self, step_id: str, *, for_good: bool = True) -> None:
        """Drop the object of a step that ended and can't come round again; `for_good` is False
        where it was stopped, and another object is to take its place."""
        self._heartbeats.forget(step_id)
        if not for_good or step_id not in self._on_cycles:
            self._objects.pop(step_id, None)

    def _at_once(self, state: State, visit: Visit, calling: StepCall) -> Any:
        """Return the plain result where it comes without waiting, else what is to be waited for."""
        step = visit.step
        if step.condition is not None:
            return step.condition(state.reading(visit.scope))
        if step.inputs or step.check_input:
            check_input(state, visit)
        calling.task.running = calling
        try:
            return call_for(calling, self._begin, state, visit)
        finally:
            calling.task.running = None

    def _begin(self, state: State, visit: Visit) -> Any:
        """Begin the step's code; what needs a thread, or has a limit, is begun elsewhere."""
        run = self._object(state, visit).run
        data = data_of(visit)
        if visit.step.timed or not is_async(run):
            return Called(run, data)
        code = run(data)
        try:
            waits_for = code.send(None)
        except StopIteration as ended:
            returned = ended.value
        else:
            return Suspended(code, waits_for)
        return None if returned is None else plain(returned)

    async def _in_time(
        self, visit: Visit, begun: Suspended | Called, calling: StepCall
    ) -> JsonValue:
        if isinstance(begun, Suspended):
            returned = await calling.hold(*begun)
        else:
            calling.listen(visit.step.heartbeat_timeout_seconds)
            returned = await calling.run(begun.method, visit.step, begun.data)
        return None if returned is None else call(plain, returned)

    def _method(self, name: str, state: State, visit: Visit) -> Callable[..., Any] | None:
        """Return a method of the visit's step object, which is made where there is none yet."""
        return getattr(self._object(state, visit), name, None)

    def _object(self, state: State, visit: Visit) -> Step:
        step = visit.step
        iteration, made = self._objects.get(step.id, (0, None))
        if made is None or (step.config_template is not None and iteration != visit.iteration):
            templated = step.config_template is not None
            config = resolved_config(state, visit, self._now()) if templated else None
            made = self._blueprint.factories[step.declared_id](config)
            made.services = self._services
            self._objects[step.id] = (visit.iteration, made)
        made.context = StepContext(
            self._execution_id,
            step.id,
            visit.iteration,
            visit.attempt,
            self._heartbeats.heard,
            visit.progress,
        )
        return made

    async def _failed(
        self,
        state: State,
        visit: Visit,
        raised: BaseException,
        began_s: float,
        calling: StepCall,
        progress: JsonValue,
    ) -> AttemptResult:
        policy = visit.step.retry
        if policy is None and issubclass(type(raised), StepSilent):
            policy = OF_SILENT_STEPS
        failures = visit.failures + 1
        if policy is not None and failures < policy.max_attempts and policy.covers(raised):
            return TryAgain(
                error_info(raised, visit.step.id, visit.attempt),
                policy.delay(failures, self._randomness()),
                (self._monotonic_s() - began_s) * 1000,
                progress,
            )
        return await self._without_retry(state, visit, raised, began_s, calling)

    async def _without_retry(
        self, state: State, visit: Visit, raised: BaseException, began_s: float, calling: StepCall
    ) -> AttemptResult:
        step, attempt = visit.step, max(visit.attempt, 1)
        fallback_error: BaseException | None = None
        if step.enable_fallback:
            try:
                output = await self._fallback(state, visit, raised, calling)
            except StepStopped:
                raise
            except Raised as error:
                fallback_error = itself(error.error)
            except Exception as error:
                fallback_error = error
            else:
                if output is not ABSENT:
                    duration_ms = (self._monotonic_s() - began_s) * 1000
                    return Returned(output, duration_ms, error_info(raised, step.id, attempt))
        info = error_info(raised, step.id, attempt, fallback_error=fallback_error)
        return GaveUp(info, (self._monotonic_s() - began_s) * 1000, raised)

    async def _fallback(
        self, state: State, visit: Visit, raised: BaseException, calling: StepCall
    ) -> Any:
        """Return the fallback's result made plain, or ABSENT where the step defines none."""
        fallback = call(self._method, "fallback", state, visit)
        if fallback is None:
            return ABSENT
        self._heartbeats.begin(visit, calling)
        try:
            output = call(plain, await calling.run(fallback, visit.step, data_of(visit), raised))
        finally:
            self._heartbeats.end(visit)
        check_output(visit.step, output)
        if self._claim_check is not None and not self._claim_check.fits(output):
            await calling.hold(self._claim_check.take_in(output))
        return output
