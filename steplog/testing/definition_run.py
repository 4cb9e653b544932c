"""One definition run from beginning to end on a file, and all that was recorded of it."""

import asyncio
from collections.abc import Coroutine, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Final

from executor_service.adapters.embedded.event_log import EmbeddedEventLog
from executor_service.embedded_errors import FileFailed
from steplog.embedded.client import Embedded
from steplog.embedded.settings import EmbeddedSettings
from steplog.errors import CommandWasRefused, NotAnswered
from steplog.testing.crashes import Crash, CrashingFile
from steplog.testing.stubs import StubbedCatalogue, refuse_unknown
from steplog.testing.virtual_clock import VirtualClock
from steplog_contracts.codec import decode_event
from steplog_contracts.events import Event, StepStarted
from steplog_contracts.payload import JsonValue
from steplog_contracts.records import (
    FINAL_EXECUTION_STATUSES,
    ExecutionRecord,
    ExecutionStatus,
    StepRecord,
    StepStatus,
)

EXECUTION_ID: Final = "test"
# Time is skipped when nothing was under way in so many looks, one after another.
IDLE_LOOKS: Final = 3
LOOK_EVERY_S: Final = 0.005
# `crash_after` of a run that is repeated with a crash after each of its events.
EVERY_EVENT: Final = "every event"
Answers = Mapping[str, JsonValue]


@dataclass(frozen=True)
class RanPipeline:
    """An execution that has ended: its rows, and the events they were made from."""

    execution: ExecutionRecord
    steps: tuple[StepRecord, ...]
    events: tuple[Event, ...]

    @property
    def output(self) -> Any:
        """Return the execution's output."""
        return self.execution.output_data

    @property
    def path(self) -> list[str]:
        """Return the steps in the order they began, a step once for each visit."""
        first = [e for e in self.events if isinstance(e, StepStarted) and e.attempt == 1]
        return [event.step_id for event in first]

    def step(self, step_id: str, iteration: int = 1) -> StepRecord:
        """Return a visit to a step; fails where there was none."""
        visits = [s for s in self.steps if (s.step_id, s.iteration) == (step_id, iteration)]
        assert visits, f"step '{step_id}' has no visit {iteration}; the path was {self.path}"
        return visits[0]

    def assert_completed(self) -> None:
        """Fail with the execution's own error unless it completed."""
        status, error = self.execution.status, self.execution.failure
        assert status is ExecutionStatus.COMPLETED, f"the execution {status}: {error}"

    def assert_failed(self, at_step: str, saying: str = "") -> None:
        """Fail unless the execution failed at a step with a message that has `saying` in it."""
        status = self.execution.status
        assert status is ExecutionStatus.FAILED, f"the execution {status}, it did not fail"
        failed = [step.step_id for step in self.steps if step.status is StepStatus.FAILED]
        assert at_step in failed, f"step '{at_step}' did not fail; these did: {failed}"
        message = self.execution.error_message or ""
        assert saying in message, f"'{saying}' is not in the error: {message}"


@dataclass(frozen=True)
class DefinitionRun:
    """What a test has run, and how."""

    definition: Mapping[str, Any]
    input: JsonValue
    answers: Answers
    step_modules: Sequence[str] | None
    timeout_s: float
    stubs: Mapping[str, Any]
    skips_time: bool
    pipelines_dir: Path | None = None

    async def to_end(self, file: Path, crash: Crash | None = None) -> RanPipeline:
        """Run it in a file to its end, through a crash if there is to be one.

        Raises:
            CommandWasRefused: the definition or the input is refused; the text says why.
            DefinitionRefused: a stub is for a step that is not there.
            NotAnswered: it has not ended in time, or waits for an answer that is not given.
        """
        refuse_unknown(self.stubs, self.definition)
        settings = self._settings(file, crash)
        try:
            async with asyncio.timeout(self.timeout_s):
                try:
                    return await self._in_one_process(settings)
                except FileFailed:
                    if crash is None or not crash.happened:
                        raise
                return await self._in_one_process(settings)
        except TimeoutError as error:
            raise NotAnswered(
                f"The execution has not ended within {self.timeout_s:g} s."
            ) from error

    def _settings(self, file: Path, crash: Crash | None) -> EmbeddedSettings:
        settings = EmbeddedSettings(file, self.step_modules, self.pipelines_dir)
        clock = VirtualClock() if self.skips_time else None
        if clock is not None:
            settings = replace(settings, clock=clock)
        if clock is not None or self.stubs:
            catalogue = partial(StubbedCatalogue, stubs=self.stubs, clock=clock)
            settings = replace(settings, catalogue=catalogue)
        if crash is not None:
            settings = replace(settings, open_file=partial(CrashingFile, crash=crash))
        return settings

    async def _in_one_process(self, settings: EmbeddedSettings) -> RanPipeline:
        async with Embedded.over(settings) as steplog:
            # The same command again, after a crash, starts nothing twice.
            submitted = await steplog.run(
                self.definition, self.input, execution_id=EXECUTION_ID, command_id=EXECUTION_ID
            )
            await steplog.applied(submitted)
            clock = settings.clock
            if isinstance(clock, VirtualClock):
                await self._skipping(steplog, clock)
            else:
                await _unless_crashed(steplog, self._waiting(steplog))
            execution = await steplog.read.execution(EXECUTION_ID)
            steps = await steplog.steps(EXECUTION_ID)
            return RanPipeline(execution, steps, await _events(steplog))

    async def _waiting(self, steplog: Embedded) -> None:
        """Follow the execution to its end, answering for people."""
        async for glimpse in steplog.watch(EXECUTION_ID):
            await self._answer(steplog, glimpse.steps)

    async def _skipping(self, steplog: Embedded, clock: VirtualClock) -> None:
        """Skip to the next time whenever nothing but waiting is left."""
        while True:
            await _until_idle(steplog, clock)
            execution = await steplog.read.execution(EXECUTION_ID, whole=False)
            if execution.status in FINAL_EXECUTION_STATUSES:
                return
            answered = await self._answer(steplog, await steplog.steps(EXECUTION_ID), clock)
            if not answered and not clock.skip():
                await asyncio.sleep(LOOK_EVERY_S)

    async def _answer(
        self, steplog: Embedded, steps: Sequence[StepRecord], clock: VirtualClock | None = None
    ) -> bool:
        """Answer what is asked; where time is skipped, what has no answer may expire."""
        answered = False
        for step in steps:
            if step.status is not StepStatus.WAITING_FOR_HUMAN:
                continue
            if step.step_id not in self.answers:
                waits = await steplog.waits(EXECUTION_ID)
                ends = any(one.step_id == step.step_id and one.expires_at for one in waits)
                if clock is not None and ends:
                    continue
                raise NotAnswered(f"Step '{step.step_id}' asks a person; give its answer.")
            answer = self.answers[step.step_id]
            with suppress(CommandWasRefused):  # Answered a moment ago, by an older look.
                await steplog.applied(await steplog.resume(EXECUTION_ID, answer, step.step_id))
            answered = True
        return answered


async def _unless_crashed(steplog: Embedded, work: Coroutine[Any, Any, None]) -> None:
    """Do the work; raise `FileFailed` as soon as the process is to have ended."""
    file = steplog.node.file
    working, crashed = asyncio.create_task(work), asyncio.create_task(file.failed.wait())
    try:
        await asyncio.wait([working, crashed], return_when=asyncio.FIRST_COMPLETED)
        if file.failure is not None:
            raise file.failure
        await working
    finally:
        working.cancel()
        crashed.cancel()


async def _until_idle(steplog: Embedded, clock: VirtualClock) -> None:
    """Return once no step runs, all is written, and it has stayed so for some looks."""
    looks = 0
    while looks < IDLE_LOOKS:
        await asyncio.sleep(LOOK_EVERY_S)
        if steplog.node.file.failure is not None:
            raise steplog.node.file.failure
        looks = looks + 1 if steplog.node.is_idle and clock.running == 0 else 0


async def _events(steplog: Embedded) -> tuple[Event, ...]:
    log = EmbeddedEventLog(steplog.node.file, "events")
    recorded = [
        decode_event(logged.value, logged.headers)
        async for logged in log.read(0, 0, await log.end_offset(0))
        if logged.value is not None
    ]
    return tuple(one.event for one in recorded if one.envelope.execution_id == EXECUTION_ID)


async def run_with_crashes(
    run: DefinitionRun, folder: Path, crash_after: str | None
) -> RanPipeline:
    """Run once, through a crash behind the step of that id, or once for each event.

    Raises:
        AssertionError: the step never completed, or a run with a crash came to another end.
        CommandWasRefused, DefinitionRefused, NotAnswered: as of `DefinitionRun.to_end`.
    """
    if crash_after is None:
        return await run.to_end(folder / "steplog.db")
    if crash_after != EVERY_EVENT:
        crash = Crash(after_step=crash_after)
        ran = await run.to_end(folder / "steplog.db", crash)
        assert crash.happened, f"step '{crash_after}' never completed; the path was {ran.path}"
        return ran
    counted = Crash()
    ran = await run.to_end(folder / "steplog.db", counted)
    for number in range(1, counted.events + 1):
        crash = Crash(after_events=number)
        again = await run.to_end(folder / f"crash-{number}.db", crash)
        same = (again.execution.status, again.output) == (ran.execution.status, ran.output)
        assert same, (
            f"after a crash behind event {number} the execution {again.execution.status} with "
            f"{again.output!r}, without one it {ran.execution.status} with {ran.output!r}"
        )
    return ran
