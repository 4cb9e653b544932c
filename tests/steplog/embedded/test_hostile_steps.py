"""Whatever a step's code does costs its own execution: in a process of the caller's."""

import asyncio
from pathlib import Path

import pytest

from steplog.embedded import Embedded
from steplog_contracts.payload import JsonObject
from tests.executor import hostile_steps
from tests.executor.hostile_steps import ZOO

TIMEOUT_S = 60.0


def alone(step_class: str, does: str = "") -> JsonObject:
    """Return a definition of one step."""
    step: JsonObject = {
        "id": "a", "module": hostile_steps.__name__, "step_class": step_class,
        "config": {"does": does},
    }  # fmt: skip
    return {"name": "x", "steps": [step], "flow": {"start_at": "a", "paths": []}}


@pytest.mark.parametrize("name", ["Hostile", "PlainHostile"])
async def test_every_one_of_them_fails_alone_beside_healthy_ones(tmp_path: Path, name: str) -> None:
    modules = [hostile_steps.__name__]
    async with (
        asyncio.timeout(TIMEOUT_S),
        Embedded.open(tmp_path / "steplog.db", step_modules=modules) as steplog,
    ):
        runs = {does: await steplog.run(alone(name, does), {}) for does in ZOO}
        healthy = await steplog.run(alone("Healthy"), {})
        ends = {does: await steplog.result(run) for does, run in runs.items()}

        assert {end.status for end in ends.values()} == {"failed"}
        assert (await steplog.result(healthy)).status == "completed"
        again = await steplog.result(await steplog.run(alone("Healthy"), {}))
        assert again.status == "completed"


async def test_plain_steps_that_hang_leave_room_for_the_next(tmp_path: Path) -> None:
    """As many as may run at once hang; each costs its own limit and no more."""
    modules = [hostile_steps.__name__]
    hung = alone("NeverReturns")
    hung["steps"][0]["error_handling"] = {"timeout_seconds": 0.5}
    async with (
        asyncio.timeout(TIMEOUT_S),
        Embedded.open(tmp_path / "steplog.db", step_modules=modules) as steplog,
    ):
        runs = [await steplog.run(hung, {}) for _ in range(64)]
        ends = [await steplog.result(run) for run in runs]
        after = await steplog.result(await steplog.run(alone("PlainHealthy"), {}))

    assert {end.status for end in ends} == {"failed"}
    assert after.status == "completed"
