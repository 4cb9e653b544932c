"""Whatever a step's code does costs its own execution: in the service."""

import asyncio

import pytest

from executor_service.runtime.guarded_loop import guard_loop
from steplog_contracts.events import ExecutionFailed
from tests.executor import hostile_steps
from tests.executor.hostile_steps import ZOO
from tests.executor.support.fakes import settle
from tests.executor.support.partition_harness import Owning

TIMEOUT_S = 30.0


async def ended(owning: Owning, execution_id: str) -> None:
    async with asyncio.timeout(TIMEOUT_S):
        while not {"ExecutionFailed", "ExecutionCompleted"} & {*owning.kinds(execution_id)}:
            await settle()
            await asyncio.sleep(0.001)


@pytest.mark.parametrize("name", ["Hostile", "PlainHostile"])
@pytest.mark.parametrize("does", ZOO)
async def test_a_step_that_does_it_fails_its_execution_and_the_next_one_runs(
    does: str, name: str
) -> None:
    guard_loop()  # As the process does when it begins.
    owning = await Owning().begin()
    step = {
        "id": "a",
        "module": hostile_steps.__name__,
        "step_class": name,
        "config": {"does": does},
    }
    definition = {"name": "x", "steps": [step], "flow": {"start_at": "a", "paths": []}}

    await owning.run_definition("hostile", definition)
    await ended(owning, "hostile")
    await owning.run("healthy", "Quick")
    await ended(owning, "healthy")

    failed = owning.history("hostile")[-1]
    assert isinstance(failed, ExecutionFailed)
    assert failed.error.type.rpartition(".")[2] in ZOO[does][1]
    assert owning.kinds("healthy")[-1] == "ExecutionCompleted"
    assert not owning.lost
