"""What an ended execution leaves in memory: nothing that waits for the collector of cycles."""

import gc
import weakref
from collections.abc import Iterator

import pytest

from executor_service import Pipeline, Step
from executor_service.runtime.execution import Execution


@pytest.fixture
def no_collector() -> Iterator[None]:
    """Run a test while only counts of references free anything."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


class NoOp(Step):
    async def run(self, data: object) -> None:
        """Return null."""


def pipeline(*paths: tuple[str, str]) -> Pipeline:
    ids = dict.fromkeys(step_id for path in paths for step_id in path)
    flow = {"start_at": paths[0][0], "paths": [{"from": a, "to": b} for a, b in paths]}
    return Pipeline("p", [NoOp(step_id) for step_id in ids], flow)


@pytest.mark.usefixtures("no_collector")
@pytest.mark.parametrize(
    "flow",
    [
        pytest.param(pipeline(("a", "b")), id="one after the other"),
        pytest.param(pipeline(("a", "b"), ("a", "c"), ("b", "d"), ("c", "d")), id="branches"),
    ],
)
async def test_an_execution_is_freed_as_soon_as_it_has_ended(flow: Pipeline) -> None:
    begun: list[weakref.ref[Execution]] = []
    await flow.run({"x": 1}, on_start=lambda execution: begun.append(weakref.ref(execution)))

    assert [execution() for execution in begun] == [None]
