"""One definition run from beginning to end in embedded mode, and all that was recorded of it."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from executor_service.adapters.embedded.event_log import EmbeddedEventLog
from steplog.embedded.client import Embedded
from steplog.errors import NotAnswered
from steplog_contracts.codec import decode_event
from steplog_contracts.events import Event, StepStarted
from steplog_contracts.payload import JsonValue
from steplog_contracts.records import (
    ExecutionRecord,
    ExecutionStatus,
    StepRecord,
    StepStatus,
)

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


async def run_through(
    file: Path,
    definition: Mapping[str, Any],
    input_data: JsonValue,
    answers: Answers,
    step_modules: Sequence[str] | None,
    timeout_s: float,
) -> RanPipeline:
    """Run a definition to its end, answering for people.

    Raises:
        CommandWasRefused: the definition or the input is refused; the text says why.
        NotAnswered: it has not ended in time, or waits for an answer that is not given.
    """
    async with Embedded.open(file, step_modules=step_modules) as steplog:
        try:
            async with asyncio.timeout(timeout_s):
                submitted = await steplog.run(definition, input_data)
                await steplog.applied(submitted)
                execution = await _ended(steplog, submitted.execution_id, answers)
        except TimeoutError as error:
            raise NotAnswered(f"The execution has not ended within {timeout_s:g} s.") from error
        steps = await steplog.steps(submitted.execution_id)
        events = await _events(steplog, submitted.execution_id)
    return RanPipeline(execution, steps, events)


async def _ended(steplog: Embedded, execution_id: str, answers: Answers) -> ExecutionRecord:
    answered: set[tuple[str, int]] = set()
    async for glimpse in steplog.watch(execution_id):
        for step in glimpse.steps:
            visit = (step.step_id, step.iteration)
            if step.status is not StepStatus.WAITING_FOR_HUMAN or visit in answered:
                continue
            if step.step_id not in answers:
                raise NotAnswered(f"Step '{step.step_id}' asks a person; give its answer.")
            answered.add(visit)
            await steplog.resume(execution_id, answers[step.step_id], step.step_id)
    return await steplog.read.execution(execution_id)


async def _events(steplog: Embedded, execution_id: str) -> tuple[Event, ...]:
    log = EmbeddedEventLog(steplog.node.file, "events")
    recorded = [
        decode_event(logged.value, logged.headers)
        async for logged in log.read(0, 0, await log.end_offset(0))
        if logged.value is not None
    ]
    return tuple(one.event for one in recorded if one.envelope.execution_id == execution_id)
