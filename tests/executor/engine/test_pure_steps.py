"""Steps that say they have no effects run ahead of the log; nothing else does."""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from itertools import chain, pairwise
from typing import Any

import pytest

from executor_service.errors import RecordingLost
from executor_service.runtime.event_buffer import MAX_UNRECORDED_EVENTS
from steplog_contracts import events as ev
from tests.executor.flows import (
    KeptEvents,
    ManualClock,
    Recorded,
    blueprint_of,
    folded,
    passes,
    paths,
    until,
)

PURE = {"effects": "none"}


def row(count: int, functions: dict[str, Any] | None = None, pure: bool = True) -> Any:
    """Return the blueprint of steps s1, s2, ... in a row."""
    ids = [f"s{number}" for number in range(1, count + 1)]
    steps = dict.fromkeys(ids, passes) | (functions or {})
    of = {step_id: PURE if pure else {} for step_id in ids}
    return blueprint_of(steps, paths(*(f"{a} > {b}" for a, b in pairwise(ids))), of=of)


async def test_ten_pure_steps_cost_two_appends() -> None:
    recorded = Recorded(row(10))
    outcome = await recorded.run()

    assert outcome.status == "completed"
    assert len(recorded.log.appends) == 2


async def test_ten_other_steps_cost_eleven() -> None:
    recorded = Recorded(row(10, pure=False))
    await recorded.run()

    assert len(recorded.log.appends) == 11


async def test_every_event_is_recorded_in_order_as_without() -> None:
    pure, other = Recorded(row(4)), Recorded(row(4, pure=False))
    await pure.run()
    await other.run()

    assert pure.log.names() == other.log.names()


async def test_each_event_has_its_own_time() -> None:
    clock = ManualClock()

    def takes_a_second(data: Any) -> Any:
        clock.go_forward(1)

    recorded = Recorded(row(3, {"s2": takes_a_second}), clock)
    await recorded.run()
    times = list(chain.from_iterable(times or () for times in recorded.log.times))
    seconds = [(time - times[0]).total_seconds() for time in times]

    assert seconds == [0, 0, 0, 0, 1, 1, 1, 1]


async def test_a_step_with_effects_begins_when_all_before_it_is_recorded() -> None:
    known: list[list[str]] = []
    recorded: list[Recorded] = []

    def acts(data: Any) -> Any:
        known.append(recorded[0].log.names())

    flow = paths("p1 > p2", "p2 > acts", "acts > p3")
    functions = {"p1": passes, "p2": passes, "acts": acts, "p3": passes}
    of = dict.fromkeys(("p1", "p2", "p3"), PURE)
    recorded.append(Recorded(blueprint_of(functions, flow, of=of)))
    await recorded[0].run()

    assert known[0][-3:] == ["StepStarted p2", "StepCompleted p2", "StepStarted acts"]


async def test_the_result_of_a_step_with_effects_is_recorded_before_a_pure_one_runs() -> None:
    known: list[list[str]] = []
    recorded: list[Recorded] = []

    def looks(data: Any) -> Any:
        known.append(recorded[0].log.names())

    blueprint = blueprint_of({"acts": passes, "p": looks}, paths("acts > p"), of={"p": PURE})
    recorded.append(Recorded(blueprint))
    await recorded[0].run()

    assert "StepCompleted acts" in known[0]


async def test_a_branch_with_effects_waits_for_the_log_beside_a_pure_one() -> None:
    known: list[list[str]] = []
    recorded: list[Recorded] = []

    def acts(data: Any) -> Any:
        known.append(recorded[0].log.names())

    flow = paths("f > p1", "f > acts", "p1 > p2", "p2 > join", "acts > join")
    functions = {"f": passes, "p1": passes, "acts": acts, "p2": passes, "join": acts}
    recorded.append(
        Recorded(blueprint_of(functions, flow, of=dict.fromkeys(["f", "p1", "p2"], PURE)))
    )
    await recorded[0].run()

    assert "StepStarted acts" in known[0]
    assert {"StepCompleted p2", "StepCompleted acts", "StepStarted join"} <= set(known[1])


async def test_a_long_row_is_recorded_in_parts() -> None:
    recorded = Recorded(row(MAX_UNRECORDED_EVENTS * 2))
    await recorded.run()

    assert all(len(events) <= MAX_UNRECORDED_EVENTS + 1 for events in recorded.log.appends[:-1])


async def test_a_pure_step_that_takes_long_is_on_record_while_it_runs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("executor_service.runtime.event_buffer.MAX_UNRECORDED_SECONDS", 0.01)
    go = asyncio.Event()

    async def waits(data: Any) -> Any:
        await go.wait()

    recorded = Recorded(row(3, {"s2": waits}))
    running = asyncio.create_task(recorded.run())
    await asyncio.wait_for(_until_recorded(recorded.log, "StepStarted s2"), 10)
    go.set()
    outcome = await running

    assert outcome.status == "completed"
    assert recorded.log.names()[-1] == "ExecutionCompleted"


async def _until_recorded(log: KeptEvents, name: str) -> None:
    while name not in log.names():  # noqa: ASYNC110 - real time is what is tested
        await asyncio.sleep(0.005)


async def test_a_pure_step_that_fails_fails_the_execution_on_record() -> None:
    def fails(data: Any) -> Any:
        raise ValueError("no")

    recorded = Recorded(row(3, {"s2": fails}))
    outcome = await recorded.run()

    assert outcome.status == "failed"
    assert recorded.log.names()[-2:] == ["StepFailed s2", "ExecutionFailed"]


async def test_a_pure_step_may_ask_a_person() -> None:
    recorded = Recorded(row(3, {"s2": lambda data: {"status": "human_input_required"}}))
    outcome = await recorded.run()

    assert outcome.status == "waiting_for_human"
    assert recorded.log.names()[-1] == "StepWaiting s2"


async def test_an_execution_goes_on_from_any_recorded_prefix() -> None:
    blueprint = row(4)
    whole = Recorded(blueprint)
    await whole.run({"x": 1})
    for length in range(2, len(whole.log.events)):
        after = Recorded(blueprint)
        outcome = await after.execution.resume_run(folded(blueprint, whole.log.events[:length]))

        assert outcome.status == "completed"
        assert outcome.output == {"x": 1}


async def test_a_step_its_process_may_have_died_of_is_recorded_before_it_runs_again() -> None:
    """Otherwise its attempts would never be counted, and it would be run without end."""
    blueprint = row(3)
    known: list[list[str]] = []
    after = Recorded(row(3, {"s2": lambda data: known.append(after.log.names())}))
    first = ev.StepStarted(step_id="s1", step_name="s1", input={})
    await after.execution.resume_run(folded(blueprint, [blueprint.started({}), first]))

    assert known[0][-1] == "StepStarted s2"


class _Losing(KeptEvents):
    """A recorder that loses its partition after the first append."""

    async def record(
        self,
        events: Sequence[ev.Event],
        *,
        cause: str | None = None,
        times: Sequence[datetime] | None = None,
    ) -> None:
        if self.appends:
            raise RecordingLost("another executor owns the partition")
        await super().record(events, cause=cause, times=times)


async def test_what_a_lost_partition_did_not_take_is_void(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("executor_service.runtime.event_buffer.MAX_UNRECORDED_SECONDS", 0.0)
    go = asyncio.Event()

    async def waits(data: Any) -> Any:
        await go.wait()

    recorded = Recorded(row(3, {"s2": waits}), log=_Losing())
    running = asyncio.create_task(recorded.run())
    await until(lambda: recorded.execution.runs_steps)
    await asyncio.sleep(0.05)
    go.set()

    with pytest.raises(RecordingLost):
        await running
