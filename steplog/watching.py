"""An execution looked at again and again while it runs: as the API tells of it, or by asking."""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Final

from steplog.errors import NotAnswered, ServiceUnreachable
from steplog.read_api import ReadApi, path_of
from steplog.server_events import ServerEvent
from steplog_contracts.records import FINAL_EXECUTION_STATUSES, ExecutionRecord, StepRecord

LOOK_AGAIN_S: Final = 0.2
# How often a line that broke is taken up again without anything new on it.
MAX_VAIN_RETURNS: Final = 5
COME_BACK_AFTER_S: Final = 0.2
_VALUES: Final = {"input_data": None, "output_data": None, "references": None}


@dataclass(frozen=True, slots=True)
class Glimpse:
    """An execution and its steps at one moment; of steps without what went in and came out."""

    execution: ExecutionRecord
    steps: tuple[StepRecord, ...]

    @property
    def ended(self) -> bool:
        """Whether nothing will change any more."""
        return self.execution.status in FINAL_EXECUTION_STATUSES


async def glimpses(
    read: ReadApi, execution_id: str, look_again_s: float = LOOK_AGAIN_S
) -> AsyncGenerator[Glimpse]:
    """Yield what is new, the last time when the execution has ended.

    The API tells of changes as they commit; where it has no streams, or none free, it is asked
    every `look_again_s`.

    Raises:
        NotFound: there is no such execution.
    """
    if read.can_stream:
        try:
            async with aclosing(_told(read, execution_id)) as told:
                async for glimpse in told:
                    yield glimpse
                    if glimpse.ended:
                        return
        except NotAnswered:
            pass  # Asking says why, if that is refused too.
    async with aclosing(_asked(read, execution_id, look_again_s)) as asked:
        async for glimpse in asked:
            yield glimpse


async def _told(read: ReadApi, execution_id: str) -> AsyncGenerator[Glimpse]:
    seen, last_id, vain = _Seen(execution_id), None, 0
    while True:
        try:
            async with aclosing(read.stream(path_of(execution_id, "stream"), last_id)) as events:
                async for event in events:
                    if event.kind == "end":
                        return
                    if event.kind == "execution":
                        last_id, vain = event.event_id, 0
                        yield seen.after(event)
        except ServiceUnreachable:
            if last_id is None or vain >= MAX_VAIN_RETURNS:
                raise
        vain += 1
        if vain > MAX_VAIN_RETURNS:
            return
        await asyncio.sleep(COME_BACK_AFTER_S * 2**vain)


class _Seen:
    """What events have told so far: the first one has all steps, later ones those that changed."""

    def __init__(self, execution_id: str) -> None:
        self._execution_id = execution_id
        self._steps: dict[str, StepRecord] = {}

    def after(self, event: ServerEvent) -> Glimpse:
        try:
            told: dict[str, Any] = json.loads(event.data)
            execution = ExecutionRecord.model_validate(told["execution"])
            for item in told["steps"]:
                step = StepRecord.model_validate({"execution_id": self._execution_id, **item})
                self._steps[step.step_execution_id] = step
        except (ValueError, LookupError, TypeError) as error:
            raise NotAnswered("The API tells what this version can't read.") from error
        return Glimpse(execution, tuple(sorted(self._steps.values(), key=lambda step: step.seq)))


async def _asked(read: ReadApi, execution_id: str, look_again_s: float) -> AsyncGenerator[Glimpse]:
    before: Glimpse | None = None
    while True:
        execution = await read.execution(execution_id)
        steps = await read.steps(execution_id)
        now = Glimpse(execution, tuple(step.model_copy(update=_VALUES) for step in steps))
        if now != before:
            yield now
        if now.ended:
            return
        before = now
        await asyncio.sleep(look_again_s)
