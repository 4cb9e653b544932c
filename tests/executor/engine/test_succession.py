"""Steps that follow one another plainly: the short way leads where the rules do."""

import asyncio
from datetime import timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from executor_service import Allowlist, Step
from executor_service.definitions.blueprint import compile_steps
from executor_service.engine.snapshot import snapshot
from executor_service.runtime.execution import Execution
from steplog_contracts import events as ev
from tests.executor.support.fakes import ManualClock

QUESTION = {"status": "human_input_required", "prompt": "Well?"}
RESULTS: list[Any] = [None, 1, "x", [2], {}, {"a": 1}, {"a": 2, "b": [3]}, {"b": None}, QUESTION]


class Gives(Step):
    """Returns what its configuration says, at once or after a turn of the loop."""

    async def run(self, data: Any) -> Any:
        """Return it."""
        if self.config["waits"]:
            await asyncio.sleep(0)
        return self.config["result"]


@st.composite
def flows(draw: st.DrawFn) -> tuple[list[Step], dict[str, Any]]:
    count = draw(st.integers(1, 6))
    steps: list[Step] = [
        Gives(f"s{n}", {"result": draw(st.sampled_from(RESULTS)), "waits": draw(st.booleans())})
        for n in range(count)
    ]
    skips = draw(st.sets(st.tuples(st.integers(0, 5), st.integers(0, 5)), max_size=3))
    ways = {(n, n + 1) for n in range(count - 1)}
    ways |= {(a, b) for a, b in skips if a < b < count}
    paths = [{"from": f"s{a}", "to": f"s{b}"} for a, b in sorted(ways)]
    flow = {"start_at": "s0", "paths": paths}
    return steps, {"name": "p", "steps": [{"id": step.name} for step in steps], "flow": flow}


def run_of(
    steps: list[Step], definition: dict[str, Any], *, plainly: bool
) -> tuple[list[ev.Event], Any]:
    blueprint = compile_steps(steps, definition, Allowlist.everything())
    if not plainly:
        blueprint.plan.__dict__["successors"] = {}
    events: list[ev.Event] = []
    execution = Execution(
        blueprint, "e", clock=ManualClock(), on_event=events.append, park_over=timedelta.max
    )
    asyncio.run(execution.start(blueprint.started({"x": 1})))
    return [event.model_copy(update={"duration_ms": 0.0}) for event in events], snapshot(
        execution.state
    )


@settings(max_examples=60, deadline=None)
@given(flows())
def test_the_short_way_records_and_leaves_what_the_rules_do(flow: Any) -> None:
    assert run_of(*flow, plainly=True) == run_of(*flow, plainly=False)
