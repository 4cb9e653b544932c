"""A step that blocks the event loop is named while it does."""

import asyncio
import time
from typing import Any

from structlog.testing import capture_logs

from executor_service.process.loop_monitor import EventLoopMonitor
from executor_service.steps.step import Step, StepContext


class Hog(Step):
    """Sleeps without awaiting."""

    async def run(self, data: Any) -> Any:
        """Block for a while."""
        time.sleep(0.4)  # noqa: ASYNC251 - the very mistake that is to be named.


async def test_a_blocking_step_is_named() -> None:
    hog = Hog("crunch")
    hog.context = StepContext(execution_id="e-1", step_id="crunch")
    with capture_logs() as lines, EventLoopMonitor(blocked_after_s=0.1, look_every_s=0.02):
        await asyncio.sleep(0.05)
        await hog.run({})
        await asyncio.sleep(0.05)

    told = [line for line in lines if line["event"] == "event_loop_blocked"]
    assert [(line["step"], line["execution"]) for line in told] == [("crunch", "e-1")]


async def test_a_loop_that_answers_is_left_alone() -> None:
    with capture_logs() as lines, EventLoopMonitor(blocked_after_s=0.3, look_every_s=0.02):
        await asyncio.sleep(0.2)

    assert lines == []
