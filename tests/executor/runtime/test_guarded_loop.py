"""What steps give to the event loop, and take from it, costs nobody else."""

import asyncio
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from executor_service import GraphPipelineRunner, RunFailed, Step, load_step_class
from executor_service.engine.values import plain

EXITS = (SystemExit, KeyboardInterrupt)


class Endless(list[int]):
    """A list that never stops giving."""

    def __iter__(self) -> Iterator[int]:
        while True:
            yield 1


class LeavesCallbacks(Step):
    """Gives the loop callbacks that exit, each in another way."""

    async def run(self, data: Any) -> Any:
        """Give them, and let them run."""
        loop = asyncio.get_running_loop()

        def exits() -> None:
            raise EXITS[data["which"]]

        loop.call_soon(exits)
        loop.call_soon_threadsafe(exits)
        loop.call_later(0.01, exits)
        loop.call_at(loop.time() + 0.01, exits)
        await asyncio.sleep(0.05)
        return {"ran": True}


class SetsTheLoop(Step):
    """Sets how the loop makes tasks or handles errors."""

    async def run(self, data: Any) -> Any:
        """Set it."""
        getattr(asyncio.get_running_loop(), data["method"])(None)


def flow(step_class: type[Step]) -> dict[str, Any]:
    """Return a definition of one step."""
    step = {"id": "a", "module": __name__, "step_class": step_class.__name__}
    return {"name": "x", "steps": [step], "flow": {"start_at": "a", "paths": []}}


@pytest.mark.parametrize("which", range(len(EXITS)))
async def test_a_callback_that_exits_ends_nothing(which: int) -> None:
    told: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: told.append(context))

    ran = await GraphPipelineRunner().run_pipeline_from_json(
        flow(LeavesCallbacks), {"which": which}
    )

    assert ran["output"] == {"which": which, "ran": True}
    assert len(told) == 4


@pytest.mark.parametrize(
    "method", ["set_exception_handler", "set_task_factory", "set_default_executor"]
)
async def test_a_step_can_not_set_what_all_share(method: str) -> None:
    with pytest.raises(RunFailed, match="other executions run on it"):
        await GraphPipelineRunner().run_pipeline_from_json(flow(SetsTheLoop), {"method": method})


def test_a_list_that_never_ends_is_what_it_holds() -> None:
    assert plain({"n": Endless([1, 2])}) == {"n": [1, 2]}


def test_a_module_does_not_change_how_deep_calls_may_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit = sys.getrecursionlimit()
    (tmp_path / "shallow_steps.py").write_text(
        "import sys\nfrom executor_service import Step\nsys.setrecursionlimit(200)\n"
        "class Shallow(Step):\n    async def run(self, data):\n        return {}\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))

    load_step_class("shallow_steps", "Shallow")

    assert sys.getrecursionlimit() == limit
