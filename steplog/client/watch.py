"""An execution looked at again and again while it runs: as the API tells of it, or by asking."""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Any, Final

from steplog.client.read_api import ReadApi, path_of
from steplog.client.sse import ServerEvent
from steplog.errors import NeverBegan, NotAnswered, NotFound, ServiceUnreachable
from steplog_contracts.records import FINAL_EXECUTION_STATUSES, ExecutionRecord, StepRecord

LOOK_AGAIN_S: Final = 0.2
APPEARS_WITHIN_S: Final = 5.0
# How often a line that broke is taken up again without anything new on it.
MAX_VAIN_RETURNS: Final = 5
COME_BACK_AFTER_S: Final = 0.2
_VALUES: Final = {"input_data": None, "output_data": None, "references": None}


@dataclass(frozen=True, slots=True)
class ExecutionView:
    """An execution and its steps at one moment; of steps without what went in and came out."""

    execution: ExecutionRecord
    steps: tuple[StepRecord, ...]

    @property
    def ended(self) -> bool:
        """Whether nothing will change any more."""
        return self.execution.status in FINAL_EXECUTION_STATUSES


async def glimpses(
    read: ReadApi,
    execution_id: str,
    look_again_s: float = LOOK_AGAIN_S,
    *,
    just_sent: bool = False,
) -> AsyncGenerator[ExecutionView]:
    """Yield what is new, the last time when the execution has ended.

    The API tells of changes as they commit; where it has no streams, or none free, it is asked
    every `look_again_s`.

    With `just_sent`, an execution that is not there yet is waited for, up to `APPEARS_WITHIN_S`.

    Raises:
        NotFound: there is no such execution.
        NeverBegan: its command was refused.
    """
    for may_appear in (True, False) if just_sent else (False,):
        try:
            async with aclosing(_as_told(read, execution_id, may_appear=may_appear)) as told:
                async for glimpse in told:
                    yield glimpse
                    if glimpse.ended:
                        return
        except NotFound:
            if not may_appear:
                raise
            await _appeared(read, execution_id)
        except NotAnswered:
            break  # Asking says why, if that is refused too.
    async with aclosing(_asked(read, execution_id, look_again_s)) as asked:
        async for glimpse in asked:
            yield glimpse


async def _as_told(
    read: ReadApi, execution_id: str, *, may_appear: bool
) -> AsyncGenerator[ExecutionView]:
    """Yield what a stream tells, where the API has streams; the last one with its values."""
    if not read.can_stream:
        if may_appear:
            await _appeared(read, execution_id)
        return
    async with aclosing(_told(read, execution_id)) as told:
        async for glimpse in told:
            yield await _with_values(read, glimpse) if glimpse.ended else glimpse


async def _with_values(read: ReadApi, glimpse: ExecutionView) -> ExecutionView:
    """Return the last glimpse with the execution's values, which streams leave out."""
    try:
        last = await read.execution(glimpse.execution.execution_id, whole=False)
    except (NotAnswered, ServiceUnreachable):
        return glimpse  # How it ended is known; what it returned can be asked for later.
    return replace(glimpse, execution=last)


async def _appeared(read: ReadApi, execution_id: str) -> None:
    """Return once there is such an execution: one just asked for takes a moment.

    Raises:
        NotFound: there is none, and none came in time.
        NeverBegan: its command was refused.
    """
    tries = int(APPEARS_WITHIN_S / LOOK_AGAIN_S)
    for left in range(tries, -1, -1):
        try:
            await read.execution(execution_id, whole=False)
        except NeverBegan:
            raise
        except NotFound:
            if left == 0:
                raise
            await asyncio.sleep(LOOK_AGAIN_S)
        except NotAnswered:
            return  # What follows says why.
        else:
            return


async def _told(read: ReadApi, execution_id: str) -> AsyncGenerator[ExecutionView]:
    seen, last_id, vain = _Seen(read, execution_id), None, 0
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

    def __init__(self, read: ReadApi, execution_id: str) -> None:
        self._read = read
        self._execution_id = execution_id
        self._execution: dict[str, Any] = {}
        self._steps: dict[str, StepRecord] = {}

    def after(self, event: ServerEvent) -> ExecutionView:
        try:
            told: dict[str, Any] = json.loads(event.data)
            # Later ones lack the input, which never changes.
            self._execution = {**self._execution, **told["execution"]}
            execution = ExecutionRecord.model_validate(self._read.apart(self._execution))
            for item in told["steps"]:
                step = StepRecord.model_validate({"execution_id": self._execution_id, **item})
                self._steps[step.step_execution_id] = step
        except (ValueError, LookupError, TypeError) as error:
            raise NotAnswered("The API tells what this version can't read.") from error
        return ExecutionView(
            execution, tuple(sorted(self._steps.values(), key=lambda step: step.seq))
        )


async def _asked(
    read: ReadApi, execution_id: str, look_again_s: float
) -> AsyncGenerator[ExecutionView]:
    before: ExecutionView | None = None
    while True:
        execution = await read.execution(execution_id, whole=False)
        steps = await read.steps(execution_id, whole=False)
        now = ExecutionView(execution, tuple(step.model_copy(update=_VALUES) for step in steps))
        if now != before:
            yield now
        if now.ended:
            return
        before = now
        await asyncio.sleep(look_again_s)
