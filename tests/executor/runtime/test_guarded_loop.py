"""What steps give to the event loop, and take from it, costs nobody else."""

import asyncio
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest

from executor_service import GraphPipelineRunner, RunFailed, Step, load_step_class
from executor_service.engine import values
from executor_service.engine.values import plain
from executor_service.errors import ResultNotJson

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
        done = getattr(asyncio.get_running_loop(), data["method"])(*data.get("given", [None]))
        if asyncio.iscoroutine(done):
            await done


class HangsInTheDefaultExecutor(Step):
    """Waits for a thread that is asyncio's to give."""

    release = threading.Event()
    threads: ClassVar[list[threading.Thread]] = []

    async def run(self, data: Any) -> Any:
        """Hang there, or return what was made there."""
        if data["hangs"]:
            await asyncio.to_thread(self.hang)
        return {"made": await asyncio.to_thread(lambda: 5)}

    def hang(self) -> None:
        """Note the thread and wait."""
        self.threads.append(threading.current_thread())
        self.release.wait(30)


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
    ("method", "given"),
    [
        ("set_exception_handler", [None]),
        ("set_task_factory", [None]),
        ("set_default_executor", [None]),
        ("shutdown_default_executor", []),
        ("shutdown_asyncgens", []),
        ("add_signal_handler", [15, None]),
        ("remove_signal_handler", [15]),
    ],
)
async def test_a_step_can_not_set_what_all_share(method: str, given: list[Any]) -> None:
    data = {"method": method, "given": given}

    with pytest.raises(RunFailed, match="other executions run on it"):
        await GraphPipelineRunner().run_pipeline_from_json(flow(SetsTheLoop), data)


async def test_steps_that_hang_in_the_default_executor_starve_nobody() -> None:
    """They did: the loop has few such threads, and its end waits for each of them."""
    definition = flow(HangsInTheDefaultExecutor)
    definition["steps"][0]["error_handling"] = {"timeout_seconds": 0.2}
    runner = GraphPipelineRunner()
    hung = [runner.run_pipeline_from_json(definition, {"hangs": True}) for _ in range(40)]

    ends = await asyncio.gather(*hung, return_exceptions=True)
    ran = await runner.run_pipeline_from_json(definition, {"hangs": False})
    HangsInTheDefaultExecutor.release.set()

    assert {type(end) for end in ends} == {RunFailed}
    assert ran["output"]["made"] == 5
    assert len(HangsInTheDefaultExecutor.threads) == 40
    assert all(thread.daemon for thread in HangsInTheDefaultExecutor.threads)


def doubled(levels: int) -> list[Any]:
    """Return a list of a few objects that is 2^levels values when it is written."""
    value: list[Any] = [1]
    for _ in range(levels):
        value = [value, value]
    return value


def test_a_result_that_holds_itself_many_times_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(values, "MAX_RESULT_WEIGHT", 10_000)

    with pytest.raises(ResultNotJson, match="more values than can be written"):
        plain(doubled(60))
    with pytest.raises(ResultNotJson, match="more values than can be written"):
        plain({"rows": [[0] * 1_000] * 1_000})
    assert plain(doubled(4)) == doubled(4)


def test_long_keys_are_shortened_in_the_place_that_is_named() -> None:
    with pytest.raises(ResultNotJson, match=r"under \$\.\.\.\.\[0\]"):
        plain({"k" * 100_000: [object()]})


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
