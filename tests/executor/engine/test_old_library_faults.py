"""What went wrong in the library whose users come here, and is shown right.

What the other rules' tests show already: branches that run in turns and see each other's writes
(9), shared state (23), a changed input (1), a tracker error that ends the run (25), a cancel
without effect (24), a resume that ignores conditions (22), built-in errors that are not retried
(18), code from anywhere (test_definitions), unknown operators (17), a cap on steps (13), a datetime
that loses a result (7), dropped connections (test_database).
"""

import asyncio
import gc
import weakref
from collections.abc import Sequence
from typing import Any

import pytest

from executor_service import DatabaseManager, EventPublisher, RunFailed
from executor_service.runtime.execution import Execution
from steplog_contracts import events as ev
from tests.executor.flows import (
    Recorded,
    asks,
    blueprint_of,
    order,
    passes,
    paths,
    pipeline_of,
    result_of,
)


async def test_the_tails_of_all_branches_run() -> None:
    result = await result_of(
        {"a": passes, "b": passes, "b2": passes, "b3": passes, "c": passes, "c2": passes},
        paths("a > b", "a > c", "b > b2", "b2 > b3", "c > c2"),
    )

    assert sorted(order(result)) == ["a", "b", "b2", "b3", "c", "c2"]


async def test_loop_counters_are_counted_for_each_run() -> None:
    pipeline = pipeline_of(
        {"a": lambda d: {"n": d.get("n", 0) + 1}},
        paths("a > a", a__a=asks("n", "<", 3)),
        loop_config={"max_iterations": 3},
    )

    results = await asyncio.gather(*(pipeline.run() for _ in range(5)))

    assert [result["output"] for result in results] == [{"n": 3}] * 5


def fails(data: Any) -> None:
    raise ValueError("bad")


@pytest.mark.parametrize("ending", ["completes", "fails", "is cancelled"])
async def test_no_step_that_began_is_left_without_an_end(ending: str) -> None:
    async def for_long(data: Any) -> None:
        await asyncio.sleep(0 if ending == "completes" else 60)

    last = fails if ending == "fails" else passes
    recorded = Recorded(
        blueprint_of({"a": passes, "b": for_long, "c": last}, paths("a > b", "a > c"))
    )
    running = asyncio.create_task(recorded.run())
    if ending == "is cancelled":
        await asyncio.sleep(0)
        recorded.execution.cancel("stop")
    await running

    began = {event.step_id for event in recorded.log.of(ev.StepStarted)}
    ended = recorded.log.of(ev.StepCompleted, ev.StepFailed, ev.StepCancelled)
    assert began == {event.step_id for event in ended}
    assert isinstance(recorded.log.events[-1], ev.ENDINGS)


async def test_a_step_may_be_completed_by_another_process_than_began_it() -> None:
    events: list[tuple[str, ev.Event]] = []

    async def append(execution_id: str, new: Sequence[ev.Event], cause: str | None) -> None:
        events.extend((execution_id, event) for event in new)

    execution_id = await EventPublisher(append).start_execution("p", "P", {"x": 1}, 1, {})
    step = await EventPublisher(append).start_step_execution(execution_id, "a/b", "A", "task", {})
    await EventPublisher(append).complete_step_execution(step, "failed", None, "bad", 2)
    await EventPublisher(append).update_execution_status(execution_id, "failed", None, "bad")

    assert {told for told, _ in events} == {execution_id}
    failed: Any = events[2][1]
    assert (failed.step_id, failed.attempt, failed.error.message) == ("a/b", 3, "bad")
    assert isinstance(events[3][1], ev.ExecutionFailed)


@pytest.mark.parametrize("status", ["completed", "cancelled", "skipped", "StepStatus.COMPLETED"])
async def test_every_status_becomes_the_event_it_names(status: str) -> None:
    events: list[ev.Event] = []

    async def append(execution_id: str, new: Sequence[ev.Event], cause: str | None) -> None:
        events.extend(new)

    await EventPublisher(append).complete_step_execution("e:1:a:1", status)

    assert type(events[0]).__name__ == f"Step{status.rpartition('.')[2].capitalize()}"


async def test_every_time_on_record_is_zone_aware() -> None:
    blueprint = blueprint_of(
        {"a": fails, "b": lambda d: {"status": "human_input_required", "timeout_seconds": 5}},
        paths("a > b"),
        of={"a": {"error_handling": {"retry": {"max_attempts": 2}, "continue_on_error": True}}},
    )
    recorded = Recorded(blueprint)
    await recorded.run()

    times = [event.retry_at for event in recorded.log.of(ev.StepAttemptFailed)]
    times += [event.expires_at for event in recorded.log.of(ev.StepWaiting)]
    assert len(times) == 2
    assert all(time.utcoffset() is not None for time in times)


async def test_a_run_leaves_nothing_in_memory() -> None:
    seen: list[weakref.ref[Execution]] = []
    pipeline = pipeline_of({"a": passes, "b": fails}, paths("a > b", a__b=asks("fail")))

    for number in range(20):
        try:
            await pipeline.run(
                {"fail": number % 2 == 1}, on_start=lambda one: seen.append(weakref.ref(one))
            )
        except RunFailed:
            continue
    gc.collect()

    assert [one() for one in seen] == [None] * 20


async def test_a_long_statement_does_not_hold_up_the_event_loop() -> None:
    database = DatabaseManager("sqlite://")
    counting = (
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300000) "
        "SELECT count(*) AS n FROM n"
    )
    asked = asyncio.create_task(database.fetch_one(counting))
    turns = 0
    while not asked.done():
        turns += 1
        await asyncio.sleep(0.001)
    await database.disconnect()

    assert asked.result() == {"n": 300_000}
    assert turns > 5
