"""Given: pipelines made of functions, a clock moved by hand, a recorder that keeps what it gets."""

import asyncio
import inspect
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from executor_service import Allowlist, Pipeline, Step
from executor_service.definitions.blueprint import Blueprint, compile_steps
from executor_service.engine.fold import evolve
from executor_service.engine.state import State, initial
from executor_service.runtime.execution import Execution, Outcome
from steplog_contracts import events as ev
from steplog_contracts.codec import decode_event
from steplog_contracts.encoder import ExecutionEncoder

Run = Callable[..., Any]
BEGINNING = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


class FunctionStep(Step):
    """A step that runs a function of its data; of its data and itself, if it takes two."""

    def __init__(self, name: str, function: Run, fallback: Run | None = None) -> None:
        super().__init__(name, {})
        self.function = function
        if fallback is not None:
            self.fallback = fallback

    async def run(self, data: Any) -> Any:
        arguments = [data, self][: len(inspect.signature(self.function).parameters)]
        result = self.function(*arguments)
        return await result if inspect.isawaitable(result) else result


def passes(data: Any) -> Any:
    """A step's function that returns nothing new."""
    return {}


def paths(*texts: str, **conditions: Any) -> list[dict[str, Any]]:
    """Return paths from texts such as `a > b`; conditions by `a__b`."""
    declared = []
    for text in texts:
        source, target = (end.strip() for end in text.split(">"))
        path: dict[str, Any] = {"from": source, "to": target}
        if f"{source}__{target}" in conditions:
            path["condition"] = conditions[f"{source}__{target}"]
        declared.append(path)
    return declared


def asks(source: str, operator: str = "equals", value: Any = True) -> dict[str, Any]:
    """Return an expression condition."""
    return {"type": "expression", "source": source, "operator": operator, "value": value}


def definition_of(
    functions: dict[str, Run | Step], flow: Sequence[dict[str, Any]], **more: Any
) -> tuple[list[Step], dict[str, Any]]:
    """Return step objects and the definition that joins them; `of` adds keys to single steps."""
    steps = [
        function if isinstance(function, Step) else FunctionStep(step_id, function)
        for step_id, function in functions.items()
    ]
    of = more.pop("of", {})
    start_at = more.pop("start_at", next(iter(functions)))
    definition = {
        "name": "tested",
        "steps": [{"id": step_id, **of.get(step_id, {})} for step_id in functions],
        "flow": {"start_at": start_at, "paths": list(flow)},
        **more,
    }
    return steps, definition


def blueprint_of(
    functions: dict[str, Run | Step], flow: Sequence[dict[str, Any]], **more: Any
) -> Blueprint:
    """Return the blueprint of step functions joined by paths."""
    steps, definition = definition_of(functions, flow, **more)
    return compile_steps(steps, definition, Allowlist(["tests.*"]))


def pipeline_of(
    functions: dict[str, Run | Step], flow: Sequence[dict[str, Any]], **more: Any
) -> Pipeline:
    """Return a pipeline of step functions joined by paths."""
    services = more.pop("services", None)
    clock = more.pop("clock", None)
    blueprint = blueprint_of(functions, flow, **more)
    return Pipeline(
        "tested", [], blueprint.definition["flow"], services, blueprint=blueprint, clock=clock
    )


async def result_of(
    functions: dict[str, Run | Step], flow: Sequence[dict[str, Any]], given: Any = None, **more: Any
) -> dict[str, Any]:
    """Run a pipeline of functions and return its result."""
    return await pipeline_of(functions, flow, **more).run(given)


def results(result: dict[str, Any]) -> dict[str, Any]:
    """Return the last result of each step of a run."""
    return {step["step_name"]: step["result"] for step in result["steps"]}


def order(result: dict[str, Any]) -> list[str]:
    """Return the steps of a run in the order they ended."""
    return [step["step_name"] for step in result["steps"]]


class ManualClock:
    """Time that goes on only when everything sleeps: straight to the next due time."""

    def __init__(self, now: datetime = BEGINNING) -> None:
        self._now = now
        self._sleepers: list[tuple[datetime, int, asyncio.Future[None]]] = []
        self.slept_s: list[float] = []

    def now(self) -> datetime:
        return self._now

    def monotonic_s(self) -> float:
        return self._now.timestamp()

    def reached(self, moment: datetime) -> None:
        self._now = max(self._now, moment)

    async def sleep_until(self, due: datetime) -> None:
        if due > self._now:
            self.slept_s.append((due - self._now).total_seconds())
            await asyncio.sleep(0)
            self._now = max(self._now, due)

    def go_forward(self, seconds: float) -> None:
        self._now += timedelta(seconds=seconds)


class KeptEvents:
    """A recorder that keeps what it is given, as it would come back from the log."""

    def __init__(self) -> None:
        self.events: list[ev.Event] = []
        self.appends: list[list[ev.Event]] = []
        self.causes: list[str | None] = []
        self.times: list[Sequence[datetime] | None] = []

    async def record(
        self,
        events: Sequence[ev.Event],
        *,
        cause: str | None = None,
        times: Sequence[datetime] | None = None,
    ) -> None:
        await asyncio.sleep(0)
        self.times.append(times)
        self.events += events
        self.appends.append(list(events))
        self.causes.append(cause)

    def of(self, *kinds: type[ev.Event]) -> list[Any]:
        return [event for event in self.events if isinstance(event, kinds)]

    def names(self) -> list[str]:
        return [
            type(event).__name__ + (f" {event.step_id}" if hasattr(event, "step_id") else "")
            for event in self.events
        ]


class Recorded:
    """An execution of a blueprint whose events are kept."""

    def __init__(
        self,
        blueprint: Blueprint,
        clock: ManualClock | None = None,
        *,
        park: bool = True,
        log: KeptEvents | None = None,
    ) -> None:
        self.blueprint = blueprint
        self.clock = clock or ManualClock()
        self.log = log or KeptEvents()
        self.execution = Execution(
            blueprint, "e-1", self.log, clock=self.clock, park_over=timedelta.max if park else None,
            randomness=lambda: 0.0,
        )  # fmt: skip

    async def run(self, given: Any = None) -> Outcome:
        return await self.execution.start(self.blueprint.started(given))


def folded(blueprint: Blueprint, events: Sequence[ev.Event]) -> State:
    """Return the state that events make after a journey over the wire."""
    state = initial(blueprint, "e-1")
    encoder = ExecutionEncoder("e-1", source="/test", correlation_id=None, writer_epoch=1)
    time = BEGINNING.isoformat(timespec="microseconds").encode()
    for seq, event in enumerate(events, 1):
        record = encoder.encode(event, seq=seq, time=time, causation_id=None)
        assert record.value is not None
        state = evolve(state, decode_event(record.value, record.headers).event, BEGINNING)
    return state


async def until(holds: Callable[[], Any]) -> None:
    """Let other tasks run until something holds."""
    for _ in range(100_000):
        if holds():
            return
        await asyncio.sleep(0)
    raise AssertionError("it never came to hold")
