"""A wall clock set back between two processes on a file: what waits there waits no longer."""

import asyncio
import functools
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from executor_service.adapters.system_clock import SystemClock
from executor_service.context import ExecutorContext
from executor_service.steps.step import Step
from steplog.embedded.client import Embedded
from steplog.embedded.settings import EmbeddedSettings
from steplog_contracts.records import ExecutionStatus

HOUR = timedelta(hours=1)
TRIES: list[str] = []


class FailsOnce(Step):
    """A step that fails the first time."""

    async def run(self, data: dict[str, Any]) -> dict[str, Any]:
        """Fail, then not."""
        TRIES.append("")
        if len(TRIES) == 1:
            raise ValueError("not yet")
        return {}


@pytest.mark.parametrize("park_over_s", [0, 60])
async def test_a_retry_comes_after_its_own_delay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, park_over_s: int
) -> None:
    TRIES.clear()
    parking = functools.partial(ExecutorContext, park_over=timedelta(seconds=park_over_s))
    monkeypatch.setattr("steplog.embedded.node.ExecutorContext", parking)
    retry = {"max_attempts": 2, "initial_delay": 3.0, "jitter": False}
    step = {"id": "a", "module": __name__, "step_class": "FailsOnce",
            "error_handling": {"retry": retry}}  # fmt: skip
    definition = {"name": "p", "steps": [step], "flow": {"start_at": "a", "paths": []}}
    async with Embedded.open(tmp_path / "steplog.db") as first:
        await first.applied(await first.run(definition, execution_id="e-1"))
        async with asyncio.timeout(30):
            while not TRIES:  # noqa: ASYNC110 - another thread's step would not tell
                await asyncio.sleep(0.01)
        await asyncio.sleep(0.2)

    set_back = SystemClock(lambda: datetime.now(UTC) - HOUR)
    settings = EmbeddedSettings(tmp_path / "steplog.db", clock=set_back)
    async with Embedded.over(settings) as second:
        async with asyncio.timeout(60):
            async for glimpse in second.watch("e-1"):
                last = glimpse.execution.status

    assert last is ExecutionStatus.COMPLETED
