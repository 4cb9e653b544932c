"""Rules 23 to 27: isolation, cancel, tracking, threads, running again."""

import asyncio
import threading
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest

from executor_service import (
    CommandNotApplicable,
    EventPublisher,
    RunCancelled,
    ServiceRegistry,
    Step,
)
from executor_service.errors import RecordingLost
from executor_service.runtime.execution import Execution
from steplog_contracts import events as ev
from tests.executor.flows import (
    KeptEvents,
    Recorded,
    asks,
    blueprint_of,
    folded,
    order,
    passes,
    paths,
    pipeline_of,
    until,
)


class Counting(Step):
    """A step that keeps a count on itself."""

    count = 0

    async def run(self, data: Any) -> Any:
        self.count += 1
        await asyncio.sleep(0)
        return {"count": self.count, "who": data["who"], "id": self.context.execution_id}


async def test_23_runs_of_one_pipeline_at_once_share_nothing() -> None:
    pipeline = pipeline_of(
        {"a": Counting("a"), "b": passes}, paths("a > a", "a > b", a__a=asks("count", "<", 5),
                                                 a__b=asks("count", ">=", 5)),
    )  # fmt: skip

    results = await asyncio.gather(
        *(pipeline.run({"who": n}, execution_id=f"e-{n}") for n in range(20))
    )

    assert [r["output"] for r in results] == [
        {"who": n, "count": 5, "id": f"e-{n}"} for n in range(20)
    ]
    assert all(order(result) == ["a"] * 5 + ["b"] for result in results)


async def test_23_a_second_run_begins_afresh() -> None:
    pipeline = pipeline_of({"a": Counting("a")}, [])

    first, second = await pipeline.run({"who": 1}), await pipeline.run({"who": 1})

    assert first["output"]["count"] == second["output"]["count"] == 1


async def test_24_cancel_interrupts_a_running_async_step_and_is_on_record() -> None:
    seen: list[str] = []

    async def for_long(data: Any) -> None:
        seen.append("began")
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            seen.append("cancelled")
            raise

    recorded = Recorded(blueprint_of({"a": for_long, "b": passes}, paths("a > b")))
    running = asyncio.create_task(recorded.run())
    await until(lambda: seen)
    recorded.execution.cancel("not needed", "ada", "command-1")
    outcome = await running

    assert outcome.status == "cancelled"
    assert seen == ["began", "cancelled"]
    assert recorded.log.names()[-2:] == ["StepCancelled a", "ExecutionCancelled"]
    assert recorded.log.events[-1].requested_by == "ada"  # type: ignore[attr-defined]
    assert recorded.log.causes[-1] == "command-1"


async def test_24_cancel_stops_before_the_next_step() -> None:
    began: list[str] = []
    executions: list[Execution] = []
    pipeline = pipeline_of(
        {"a": lambda d: executions[0].cancel("enough"), "b": lambda d: began.append("b")},
        paths("a > b"),
    )

    with pytest.raises(RunCancelled, match="enough"):
        await pipeline.run(on_start=executions.append)

    assert began == []


async def test_24_cancel_stops_every_branch() -> None:
    async def for_long(data: Any) -> None:
        await asyncio.sleep(60)

    recorded = Recorded(
        blueprint_of({"a": passes, "b": for_long, "c": for_long}, paths("a > b", "a > c"))
    )
    running = asyncio.create_task(recorded.run())
    await until(lambda: len(recorded.log.of(ev.StepStarted)) == 3)
    recorded.execution.cancel("stop")
    await running

    assert [event.step_id for event in recorded.log.of(ev.StepCancelled)] == ["b", "c"]


async def test_24_a_waiting_execution_can_be_cancelled() -> None:
    recorded = Recorded(blueprint_of({"a": lambda d: {"status": "human_input_required"}}, []))
    await recorded.run()

    recorded.execution.cancel("stop")
    outcome = await recorded.execution.resume_run()

    assert outcome.status == "cancelled"


async def test_24_an_ended_execution_can_not_be_cancelled() -> None:
    recorded = Recorded(blueprint_of({"a": passes}, []))
    await recorded.run()

    with pytest.raises(CommandNotApplicable) as caught:
        recorded.execution.cancel("too late")

    assert caught.value.code == "execution_ended"


async def test_24_a_second_cancel_is_refused_so_that_its_sender_is_answered() -> None:
    recorded = Recorded(blueprint_of({"a": lambda d: {"status": "human_input_required"}}, []))
    await recorded.run()
    recorded.execution.cancel("stop")

    with pytest.raises(CommandNotApplicable) as caught:
        recorded.execution.cancel("stop, I said")

    assert caught.value.code == "already_cancelled"


async def test_24_cancelling_the_task_of_a_library_run_is_recorded_as_a_cancel() -> None:
    log = KeptEvents()

    async def for_long(data: Any) -> None:
        await asyncio.sleep(60)

    pipeline = pipeline_of({"a": for_long}, [], services=ServiceRegistry(execution_tracker=log))
    running = asyncio.create_task(pipeline.run())
    await until(lambda: len(log.events) == 2)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running

    assert log.names()[-2:] == ["StepCancelled a", "ExecutionCancelled"]


class BrokenTracker:
    """Raises whatever it is asked."""

    def __init__(self) -> None:
        self.calls = 0

    def __getattr__(self, name: str) -> Any:
        if name in ("record", "recorder_for"):
            raise AttributeError(name)
        return self._raise

    def _raise(self, **arguments: Any) -> None:
        self.calls += 1
        raise ConnectionError("the database is away")


async def test_25_a_tracker_that_raises_never_ends_the_run(caplog: Any) -> None:
    tracker = BrokenTracker()
    services = ServiceRegistry(execution_tracker=tracker)

    result = await pipeline_of({"a": lambda d: {"x": 1}}, [], services=services).run()

    assert result["output"] == {"x": 1}
    assert tracker.calls == 4
    assert "database is away" in caplog.text


class OldTracker:
    """The four writing methods, as users of the older library have them."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []

    async def start_execution(self, pipeline_id: str, **rest: Any) -> str:
        self.calls.append(("start", pipeline_id, rest["total_steps"]))
        return "their-id"

    async def start_step_execution(self, execution_id: str, step_id: str, **rest: Any) -> str:
        self.calls.append(("step", execution_id, step_id))
        return f"row-{step_id}"

    async def complete_step_execution(self, step_execution_id: str, **rest: Any) -> None:
        self.calls.append(("end", step_execution_id, rest["status"], rest["output_data"]))

    def update_execution_status(self, execution_id: str, status: str, **rest: Any) -> None:
        self.calls.append(("status", execution_id, status))


async def test_25_a_tracker_with_the_four_methods_is_told_of_everything() -> None:
    tracker = OldTracker()

    await pipeline_of(
        {"a": lambda d: {"x": 1}}, [], services=ServiceRegistry(execution_tracker=tracker)
    ).run()

    assert tracker.calls == [
        ("start", "tested", 1),
        ("step", "their-id", "a"),
        ("end", "row-a", "completed", {"x": 1}),
        ("status", "their-id", "completed"),
    ]


async def test_25_the_event_publisher_gets_the_events_as_they_are() -> None:
    appended: list[tuple[str, str]] = []

    async def append(execution_id: str, events: Sequence[ev.Event], cause: str | None) -> None:
        appended.extend((execution_id, type(event).__name__) for event in events)

    services = ServiceRegistry(execution_tracker=EventPublisher(append), execution_id="job-1")
    await pipeline_of({"a": passes}, [], services=services).run()

    assert appended == [
        ("job-1", "ExecutionStarted"), ("job-1", "StepStarted"), ("job-1", "StepCompleted"),
        ("job-1", "ExecutionCompleted"),
    ]  # fmt: skip


async def test_25_a_step_does_not_start_before_its_start_is_recorded() -> None:
    def look(data: Any) -> dict[str, int]:
        return {"seen": len(recorded.log.events)}

    recorded = Recorded(blueprint_of({"a": look, "b": look}, paths("a > b")))
    await recorded.run()

    assert [event.output["seen"] for event in recorded.log.of(ev.StepCompleted)] == [2, 4]


async def test_25_a_steps_end_and_the_next_ones_start_are_one_append() -> None:
    recorded = Recorded(blueprint_of({"a": passes, "b": passes}, paths("a > b")))

    await recorded.run()

    assert [[type(e).__name__ for e in append] for append in recorded.log.appends] == [
        ["ExecutionStarted", "StepStarted"],
        ["StepCompleted", "StepStarted"],
        ["StepCompleted", "ExecutionCompleted"],
    ]


async def test_25_an_execution_whose_recording_is_lost_stops_at_once() -> None:
    ran: list[str] = []

    class Lost(KeptEvents):
        async def record(self, events: Any, *, cause: str | None = None) -> None:
            if len(self.appends) == 1:
                raise RecordingLost("another executor owns the partition")
            await super().record(events, cause=cause)

    blueprint = blueprint_of({"a": ran.append, "b": ran.append}, paths("a > b"))
    recorded = Recorded(blueprint)
    execution = Execution(blueprint, "e-1", log := Lost(), clock=recorded.clock)
    with pytest.raises(RecordingLost):
        await execution.start(blueprint.started({}))

    assert len(ran) == 1
    assert log.names() == ["ExecutionStarted", "StepStarted a"]


async def test_26_a_plain_step_runs_in_a_thread_and_an_async_one_on_the_loop() -> None:
    threads: dict[str, Any] = {}

    class Plain(Step):
        def run(self, data: Any) -> None:
            threads["plain"] = threading.current_thread()

    async def on_loop(data: Any) -> None:
        threads["async"] = threading.current_thread()

    await pipeline_of({"a": Plain("a"), "b": on_loop}, paths("a > b")).run()

    assert threads["plain"] is not threading.main_thread()
    assert threads["async"] is threading.main_thread()


async def test_26_a_long_chain_of_steps_lets_others_have_their_turn() -> None:
    """A step that never waits must not keep the event loop for a whole execution."""
    pipeline = pipeline_of(
        {f"s{i}": passes for i in range(500)}, paths(*(f"s{i} > s{i + 1}" for i in range(499)))
    )
    running = asyncio.create_task(pipeline.run())
    turns = 0
    while not running.done():
        turns += 1
        await asyncio.sleep(0)

    assert turns >= 3


async def test_27_a_step_that_ran_when_the_process_died_runs_again_as_the_next_attempt() -> None:
    blueprint = blueprint_of(
        {"a": passes, "b": lambda d, step: {"attempt": step.context.attempt,
                                            "key": step.context.idempotency_key}},
        paths("a > b"),
    )  # fmt: skip
    whole = Recorded(blueprint)
    await whole.run()
    cut = next(i for i, name in enumerate(whole.log.names()) if name == "StepCompleted b")
    after = Recorded(blueprint)

    outcome = await after.execution.resume_run(folded(blueprint, whole.log.events[:cut]))

    assert after.log.names()[0] == "StepStarted b"
    assert outcome.output == {"attempt": 2, "key": "e-1:b:1"}


async def test_27_attempts_lost_with_their_process_take_nothing_from_the_retries() -> None:
    def fails(data: Any) -> None:
        raise ValueError("bad")

    blueprint = blueprint_of(
        {"a": fails}, [], of={"a": {"error_handling": {"retry": {"max_attempts": 2}}}}
    )
    started = [blueprint.started({}), *(ev.StepStarted(step_id="a", attempt=n) for n in (1, 2, 3))]
    after = Recorded(blueprint)

    outcome = await after.execution.resume_run(folded(blueprint, started))

    assert outcome.status == "failed"
    assert [event.attempt for event in after.log.of(ev.StepStarted)] == [4, 5]


async def test_27_a_step_that_keeps_killing_its_process_is_given_up() -> None:
    blueprint = blueprint_of({"a": passes}, [])
    started = [
        blueprint.started({}), *(ev.StepStarted(step_id="a", attempt=n + 1) for n in range(20))
    ]  # fmt: skip
    after = Recorded(blueprint)

    outcome = await after.execution.resume_run(folded(blueprint, started))

    assert outcome.error is not None
    assert outcome.error.type == "AttemptsLost"
    assert outcome.error.step_id == "a"
    assert after.log.of(ev.StepStarted) == []


async def test_an_execution_told_to_begin_later_waits_for_its_time_on_record() -> None:
    blueprint = blueprint_of({"a": passes}, [])
    recorded = Recorded(blueprint)
    later = recorded.clock.now() + timedelta(hours=1)

    outcome = await recorded.execution.start(blueprint.started({}), not_before=later)

    assert outcome.status == "completed"
    assert recorded.clock.slept_s == [3600]
    assert recorded.log.names()[:3] == ["ExecutionStarted", "StepScheduled a", "StepStarted a"]
