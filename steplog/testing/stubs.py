"""Stubs: what a test says of steps in place of their code, whose modules are not imported."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from executor_service import Allowlist, Blueprint, DefinitionRefused, Problem, Step, TerminalError
from executor_service.definitions.blueprint import StepFactory
from executor_service.definitions.catalogue import DefinitionCatalogue
from steplog.testing.virtual_clock import VirtualClock
from steplog_contracts.payload import JsonObject

# Keys of a step that ask for its own code.
_OF_CODE: Final = ("module", "step_class", "class", "compensate")


class StubExhausted(TerminalError):
    """A stub was asked for more outcomes than the test gave it."""


class Stub(Step):
    """Stands for a step: its outcomes one after the other, for each time it is run."""

    def __init__(self, name: str, config: JsonObject | None = None, *, given: Any = None) -> None:
        super().__init__(name, config)
        self.given = given

    async def run(self, data: Any) -> Any:
        """Return the next outcome; raise it where it is an exception, call it where it can be."""
        outcome = self._next()
        if isinstance(outcome, BaseException) or (
            isinstance(outcome, type) and issubclass(outcome, BaseException)
        ):
            raise outcome
        if not callable(outcome):
            return outcome
        returned = outcome(data)
        return await returned if inspect.isawaitable(returned) else returned

    def _next(self) -> Any:
        if not isinstance(self.given, list):
            return self.given
        if not self.given:
            raise StubExhausted(f"The stub of step '{self.name}' has no outcome left to give.")
        return self.given.pop(0)


class StubbedCatalogue(DefinitionCatalogue):
    """Compiles definitions with stubs in place of steps, and counts the steps that run."""

    def __init__(
        self,
        allowlist: Allowlist,
        folder: Path | None,
        *,
        stubs: Mapping[str, Any],
        clock: VirtualClock | None,
    ) -> None:
        super().__init__(_AllowsStubs(allowlist), folder)
        # A list is used up by this run alone.
        self._stubs = {
            name: list(given) if isinstance(given, (list, tuple)) else given
            for name, given in stubs.items()
        }
        self._clock = clock

    def _compiled(self, definition: JsonObject, language: int, *, is_recorded: bool) -> Blueprint:
        stubbed = {**definition, "steps": self._without_code(definition)}
        made = super()._compiled(stubbed, language, is_recorded=is_recorded)
        factories = {name: self._factory(name, factory) for name, factory in made.factories.items()}
        return replace(made, definition=definition, factories=factories)

    def _without_code(self, definition: JsonObject) -> Any:
        steps = definition.get("steps")
        if not isinstance(steps, list):
            return steps
        return [self._stubbed(step) if isinstance(step, dict) else step for step in steps]

    def _stubbed(self, step: JsonObject) -> JsonObject:
        if step.get("id") not in self._stubs:
            return step
        if isinstance(item := step.get("step"), dict):
            return {**step, "step": _code_of_stub(item)}
        return _code_of_stub(step)

    def _factory(self, name: str, factory: StepFactory) -> StepFactory:
        def make(config: JsonObject | None) -> Step:
            step = factory(config)
            if isinstance(step, Stub):
                step.given = self._stubs[name]
            if self._clock is not None:
                _count_runs(step, self._clock)
            return step

        return make


class _AllowsStubs(Allowlist):
    """The test's allowlist, and the module of stubs."""

    def __init__(self, others: Allowlist) -> None:
        super().__init__([__name__])
        self._others = others

    def allows(self, module: str) -> bool:
        return super().allows(module) or self._others.allows(module)


def refuse_unknown(stubs: Mapping[str, Any], definition: Mapping[str, Any]) -> None:
    """Raise `DefinitionRefused` for stubs of steps that the definition does not have."""
    steps = definition.get("steps")
    known = [step.get("id") for step in steps if isinstance(step, dict)] if steps else []
    unknown = sorted(stubs.keys() - set(known))
    if unknown:
        there = ", ".join(map(str, known))
        message = f"There is no step '{unknown[0]}' to put a stub in place of."
        raise DefinitionRefused([Problem("$.steps", message, f"its steps are {there}")])


def _code_of_stub(step: JsonObject) -> JsonObject:
    kept = {key: value for key, value in step.items() if key not in _OF_CODE}
    return {**kept, "module": __name__, "step_class": Stub.__name__}


def _count_runs(step: Step, clock: VirtualClock) -> None:
    """Have the clock know while the step's code runs."""
    run: Callable[[Any], Any] = step.run
    if inspect.iscoroutinefunction(run):

        async def counted(data: Any) -> Any:
            clock.running += 1
            try:
                return await run(data)
            finally:
                clock.running -= 1

        counting: Callable[[Any], Any] = counted
    else:

        def counted_in_thread(data: Any) -> Any:
            clock.running += 1
            try:
                return run(data)
            finally:
                clock.running -= 1

        counting = counted_in_thread
    setattr(step, "run", counting)  # noqa: B010 - of this object, in place of its class's
