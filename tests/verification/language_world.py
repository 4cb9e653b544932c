"""A world in which random definitions run: its time is virtual, its processes die when told to.

All executions live in one process here. What is on record, the executions that were asked for and
the cancels outlast it; everything else is gone after a crash.
"""

import asyncio
import json
import selectors
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pytest

from executor_service import Allowlist
from executor_service.definitions.blueprint import Blueprint, compile_steps
from executor_service.engine.child_decisions import ChildEnd
from executor_service.engine.fold import evolve
from executor_service.engine.snapshot import restore, snapshot
from executor_service.engine.state import State, initial
from executor_service.errors import CommandNotApplicable
from executor_service.runtime import step_invocation
from executor_service.runtime.parent_execution import ParentExecution
from steplog_contracts import events as ev
from steplog_contracts.codec import decode_event
from steplog_contracts.encoder import ExecutionEncoder
from steplog_contracts.parent_visit import ParentVisit
from tests.executor.flows import BEGINNING
from tests.verification.language_cases import LanguageCase
from tests.verification.language_steps import objects_of

LOOKS_EVERY_S = 0.5
LONGEST_S = 20_000.0
FIRST = "e-1"


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop whose time passes at once where nothing is to be done before."""

    def __init__(self) -> None:
        self.virtual_s = 0.0
        super().__init__(_Selector(self))

    def time(self) -> float:
        return self.virtual_s


class _Selector(selectors.SelectSelector):
    def __init__(self, loop: VirtualLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> Any:
        assert timeout is not None, "nothing would ever happen any more"
        self._loop.virtual_s += max(timeout, 0.0)
        assert self._loop.virtual_s < LONGEST_S, "it does not come to an end"
        return super().select(0)


class VirtualClock:
    """The executions' clock, on the loop's time."""

    def now(self) -> datetime:
        return BEGINNING + timedelta(seconds=self.monotonic_s())

    def monotonic_s(self) -> float:
        return asyncio.get_running_loop().time()

    monotonic = monotonic_s  # As `time` has it.

    def reached(self, moment: datetime) -> None:
        """Only this clock gives times."""

    async def sleep_until(self, due: datetime) -> None:
        while self.now() < due:  # noqa: ASYNC110 - the loop's time may end a little before
            await asyncio.sleep(max((due - self.now()).total_seconds(), 1e-6))


@dataclass
class Entry:
    event: Any
    time: datetime


@dataclass
class Life:
    """What outlasts a process of one execution."""

    case: LanguageCase
    blueprint: Blueprint
    started: ev.ExecutionStarted
    entries: list[Entry] = field(default_factory=list)
    causes: set[str | None] = field(default_factory=set)
    cancel: tuple[str, bool] | None = None  # What was asked, and whether with undoing.
    undone: list[tuple[str, int, Any, Any]] = field(default_factory=list)

    @property
    def ended(self) -> bool:
        return bool(self.entries) and isinstance(self.entries[-1].event, ev.ENDINGS)

    def has(self, kind: type[ev.Event], *visit: Any) -> bool:
        """Say whether an event of a visit is on record."""
        return any(
            isinstance(e.event, kind)
            and (e.event.step_id, e.event.iteration, e.event.attempt)[: len(visit)] == visit
            for e in self.entries
        )


class World:
    """Runs a case to its end, through crashes; `complaints` is what its steps saw go wrong."""

    def __init__(
        self, case: LanguageCase, crashes: Sequence[tuple[int, bool, bool]], cancel: Any = None
    ) -> None:
        self.crashes, self.order = list(crashes), cancel
        self.cases = {one.name: one for one in case.all()}
        self.lives: dict[str, Life] = {}
        self.running: dict[str, ParentExecution] = {}
        self.complaints: list[str] = []
        self.clock = VirtualClock()
        self.dead = self.torn = self.parked = False
        self._news = asyncio.Event()
        self._left = 0  # Events until the process dies.
        self._asked_at: dict[tuple[str, str], float] = {}
        self._ask(FIRST, case.name, {"p": 1, "q": 1, "r": 1}, None, None)

    def run(self) -> dict[str, Life]:
        """Run everything to its end and return it."""
        with asyncio.Runner(loop_factory=VirtualLoop) as runner, pytest.MonkeyPatch.context() as m:
            m.setattr(step_invocation, "time", self.clock)
            runner.run(self._through_crashes())
        return self.lives

    async def _through_crashes(self) -> None:
        while True:
            self.dead = False
            after, self.torn, self.parked = (
                self.crashes.pop(0) if self.crashes else (0, False, False)
            )
            self._left = after or 1_000_000
            tasks: dict[str, asyncio.Task[None]] = {}
            people = asyncio.create_task(self._people())
            while not self.dead and not all(life.ended for life in self.lives.values()):
                for name in [n for n, life in self.lives.items() if not life.ended]:
                    if name not in tasks:
                        tasks[name] = asyncio.create_task(self._live(name))
                self._news.clear()
                await self._news.wait()
                for task in tasks.values():
                    if task.done() and not task.cancelled():
                        task.result()
            people.cancel()
            for task in tasks.values():
                task.cancel()
            await asyncio.gather(people, *tasks.values(), return_exceptions=True)
            self.running.clear()
            if not self.dead:
                return

    async def _live(self, name: str) -> None:
        life = self.lives[name]
        execution = ParentExecution(
            life.blueprint, name, _Recorder(self, life), clock=self.clock, children=self,
            randomness=lambda: 0.0,
        )  # fmt: skip
        self.running[name] = execution
        try:
            if not life.entries:
                running: Any = execution.start(life.started)
            else:
                execution.state = _folded(life, name, parked=self.parked)
                running = execution.resume_run()
            self._repeat_commands(name, execution)
            outcome = await running
            assert outcome.ended
            self._tell_parent(name)
        finally:
            self.running.pop(name, None)
            self._news.set()

    def _repeat_commands(self, name: str, execution: ParentExecution) -> None:
        life = self.lives[name]
        if life.cancel is not None:
            self._cancel(name)
        for child in [n for n, one in self.lives.items() if one.ended]:
            if self.lives[child].started.parent_execution_id == name:
                self._tell_parent(child)

    def _tell_parent(self, child: str) -> None:
        life = self.lives[child]
        visit, parent = life.started.parent_visit, life.started.parent_execution_id
        if visit is None or parent not in self.running:
            return
        end = life.entries[-1].event
        status = {ev.ExecutionCompleted: "completed", ev.ExecutionFailed: "failed"}.get(
            type(end), "cancelled"
        )
        self.running[parent].child_ended(
            ChildEnd(child, visit.step_id, status, getattr(end, "output", None),
                     getattr(end, "error", None))  # type: ignore[arg-type]
        )  # fmt: skip

    def _ask(
        self, name: str, pipeline: str, given: Any, parent: str | None, visit: ParentVisit | None
    ) -> None:
        case = self.cases[pipeline]
        definition = case.definition()
        blueprint = compile_steps(objects_of(case, self), definition, Allowlist(["tests.*"]))
        started = blueprint.started(given).model_copy(
            update={"parent_execution_id": parent, "parent_visit": visit}
        )
        self.lives[name] = Life(case, blueprint, started)

    # What executions ask of others.

    async def begin(self, child_id: str, **asked: Any) -> None:
        if child_id not in self.lives and not self.dead:
            given = asked["input_data"]
            self._ask(child_id, asked["pipeline"], given, asked["parent_id"], asked["parent_visit"])
            self._news.set()
        await asyncio.sleep(0)

    async def cancel(self, child_id: str, reason: str, *, compensate: bool = False) -> None:
        if child_id in self.lives and not self.dead:
            self.lives[child_id].cancel = (reason, compensate)
            self._cancel(child_id)
        await asyncio.sleep(0)

    def _cancel(self, name: str) -> None:
        life = self.lives[name]
        execution = self.running.get(name)
        if life.cancel is None or life.ended or execution is None or "cancel" in life.causes:
            return
        reason, compensate = life.cancel
        try:
            execution.cancel(reason, cause="cancel", compensate=compensate)
        except CommandNotApplicable:
            return

    # What people do.

    async def _people(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(LOOKS_EVERY_S)
            if self.order is not None and loop.time() >= self.order[0]:
                self.lives[FIRST].cancel = ("asked", self.order[1])
                self.order = None
                self._cancel(FIRST)
            for name, execution in list(self.running.items()):
                self._look_at(name, execution, loop.time())

    def _look_at(self, name: str, execution: ParentExecution, now_s: float) -> None:
        state = execution.state
        if state.ended or self.dead:
            return
        if state.undoing is not None and state.undoing.status == "stuck":
            _applied(lambda: execution.resume(None, {}))
        for step_id, visit in list(state.visits.items()):
            if visit.status != "waiting":
                continue
            step = self.lives[name].case.steps[int(step_id[1:])]
            asked = self._asked_at.setdefault((name, visit.interaction_id or ""), now_s)
            if now_s >= asked + step.seconds:
                answer = {step.key: step.add}
                _applied(lambda at=step_id, given=answer: execution.resume(at, given))


def _applied(command: Callable[[], Any]) -> None:
    try:
        command()
    except CommandNotApplicable:
        return  # It was done before, or its time is over.


class _Recorder:
    """Where one execution's events go, until the process dies in between."""

    def __init__(self, world: World, life: Life) -> None:
        self._world, self._life = world, life

    async def record(
        self,
        events: Sequence[ev.Event],
        *,
        cause: str | None = None,
        times: Sequence[datetime] | None = None,
    ) -> None:
        world = self._world
        await asyncio.sleep(0)
        taken = 0 if world.dead else len(events)
        if taken >= world._left and not world.dead:
            taken = world._left if world.torn else taken
            world._left = 0
            world.dead = True
            world._news.set()
        world._left -= taken
        stamps = times or [world.clock.now()] * len(events)
        self._life.entries += map(Entry, events[:taken], stamps)
        if taken:
            self._life.causes.add(cause)
        if world.dead:
            await asyncio.Event().wait()


def _folded(life: Life, name: str, *, parked: bool) -> State:
    """Return the state that the log makes after a journey over the wire."""
    state = initial(life.blueprint, name)
    encoder = ExecutionEncoder(name, source="/test", correlation_id=None, writer_epoch=1)
    for seq, entry in enumerate(life.entries, 1):
        time = entry.time.isoformat(timespec="microseconds").encode()
        record = encoder.encode(entry.event, seq=seq, time=time, causation_id=None)
        assert record.value is not None
        event = decode_event(record.value, record.headers).event
        if isinstance(event, ev.ExecutionStarted):
            event = life.started
        state = evolve(state, event, entry.time)
    if parked and not state.ended and state.undoing is None:
        state = restore(json.loads(json.dumps(snapshot(state))), life.blueprint.plan, name)
    return state
