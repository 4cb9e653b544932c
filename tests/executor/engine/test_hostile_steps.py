"""Whatever a step's code does costs that step and nothing else: in library use."""

import asyncio
from typing import Any

import pytest

from executor_service import (
    ExecutionContext,
    GraphPipelineRunner,
    RunCancelled,
    RunFailed,
    create_pipeline_from_json,
)
from executor_service.runtime.execution import Execution
from tests.executor.hostile_steps import ZOO, Grouped

MODULE = "tests.executor.hostile_steps"


def flow(name: str, does: str = "", *, beside: bool = False, **handling: Any) -> dict[str, Any]:
    """Return a definition of one hostile step, alone or beside a healthy one."""
    step = {
        "id": "a", "module": MODULE, "step_class": name, "config": {"does": does},
        "error_handling": handling,
    }  # fmt: skip
    healthy = {"id": "b", "module": MODULE, "step_class": "Healthy"}
    first = {**healthy, "id": "first"}
    paths = [{"from": "first", "to": "a"}, {"from": "first", "to": "b"}] if beside else []
    steps = [first, step, healthy] if beside else [step]
    return {"name": "x", "steps": steps, "flow": {"start_at": steps[0]["id"], "paths": paths}}


async def error_of(definition: dict[str, Any]) -> Any:
    runner = GraphPipelineRunner()
    beside = asyncio.create_task(runner.run_pipeline_from_json(flow("Healthy")))
    await asyncio.sleep(0)
    with pytest.raises(RunFailed) as caught:
        await runner.run_pipeline_from_json(definition, {}, ExecutionContext("e"))
    assert (await beside)["output"] == {"healthy": True}
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0
    return caught.value.error


@pytest.mark.parametrize("beside", [False, True], ids=["alone", "in a fork"])
@pytest.mark.parametrize("does", ZOO)
async def test_a_step_that_does_it_fails_with_it_on_record(does: str, beside: bool) -> None:
    error = await error_of(flow("Hostile", does, beside=beside))

    assert error.type.rpartition(".")[2] in ZOO[does][1]
    assert error.step_id == "a"


@pytest.mark.parametrize("does", ZOO)
async def test_a_plain_step_that_does_it_fails_with_it_on_record(does: str) -> None:
    error = await error_of(flow("PlainHostile", does))

    assert error.type.rpartition(".")[2] in ZOO[does][1]


@pytest.mark.parametrize("does", ZOO)
async def test_a_fallback_that_does_it_is_told_beside_the_failure(does: str) -> None:
    error = await error_of(flow("HostileFallback", does, enable_fallback=True))

    assert error.type == "ValueError"
    assert "Its fallback failed too" in error.message


@pytest.mark.parametrize("does", ["SystemExit", "KeyboardInterrupt", "an exception of no kind"])
async def test_a_constructor_that_does_it_fails_its_step(does: str) -> None:
    error = await error_of(flow("HostileConstructor", does))

    assert error.type.rpartition(".")[2] == ZOO[does][1]


@pytest.mark.parametrize("does", ["SystemExit", "cancels itself", "an exception of no kind"])
async def test_what_is_no_exception_is_retried_and_gone_on_from_as_any(does: str) -> None:
    definition = flow(
        "Hostile", does, continue_on_error=True, retry={"max_attempts": 2, "initial_delay": 0}
    )

    result = await GraphPipelineRunner().run_pipeline_from_json(definition)

    error = result["steps"][0]["result"]["error"]
    assert (error["type"], error["attempt"]) == (ZOO[does][1], 2)


@pytest.mark.parametrize("function", ["asked_exits", "asked_panics", "asked_cancels"])
async def test_a_condition_function_that_does_it_fails_the_step_it_decides_on(
    function: str,
) -> None:
    definition = flow("Healthy")
    definition["steps"].append({**definition["steps"][0], "id": "z"})
    condition = {"type": "function", "module_path": MODULE, "function_name": function}
    definition["flow"]["paths"] = [{"from": "a", "to": "z", "condition": condition}]

    error = await error_of(definition)

    assert (error.type, error.step_id) == ("ConditionFailed", "a")


@pytest.mark.parametrize("name", ["Swallows", "AwaitsSwallower", "NeverReturns"])
@pytest.mark.parametrize("beside", [False, True], ids=["alone", "in a fork"])
async def test_a_limit_holds_whatever_the_step_swallows(
    name: str, beside: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("executor_service.runtime.step_invocation.STOP_GRACE_SECONDS", 0.2)

    async with asyncio.timeout(10):
        error = await error_of(flow(name, beside=beside, timeout_seconds=0.1))

    assert error.type == "StepTimedOut"


@pytest.mark.parametrize("name", ["Swallows", "AwaitsSwallower", "NeverReturns"])
@pytest.mark.parametrize("beside", [False, True], ids=["alone", "in a fork"])
async def test_a_cancel_holds_whatever_the_step_swallows(
    name: str, beside: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("executor_service.runtime.step_invocation.STOP_GRACE_SECONDS", 0.2)
    started: list[Execution] = []
    pipeline = create_pipeline_from_json(flow(name, beside=beside))
    run = asyncio.create_task(pipeline.run(on_start=started.append))
    await asyncio.sleep(0.1)

    started[0].cancel("enough")

    async with asyncio.timeout(10):
        with pytest.raises(RunCancelled):
            await run


async def test_a_callers_own_cancel_ends_a_run_that_swallows_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("executor_service.runtime.step_invocation.STOP_GRACE_SECONDS", 0.2)
    run = asyncio.create_task(create_pipeline_from_json(flow("Swallows")).run())
    await asyncio.sleep(0.1)

    run.cancel()

    async with asyncio.timeout(10):
        with pytest.raises(asyncio.CancelledError):
            await run


async def test_a_terminal_error_in_a_group_is_not_tried_again_and_all_is_on_record() -> None:
    Grouped.runs = 0

    error = await error_of(flow("Grouped", retry={"max_attempts": 3, "initial_delay": 0}))

    assert Grouped.runs == 1
    assert "ValueError: inner one" in error.message
    assert "TerminalError: inner two" in error.message
