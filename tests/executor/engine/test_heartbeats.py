"""What a step says of itself: recorded sparingly, given to its next attempt, missed when silent."""

import asyncio
import threading
import time
from typing import Any

import pytest

from executor_service import Step
from executor_service.errors import AttemptOver
from executor_service.runtime.heartbeats import MAX_PROGRESS_BYTES
from steplog_contracts import events as ev
from tests.executor.flows import (
    ManualClock,
    Recorded,
    blueprint_of,
    folded,
    passes,
    paths,
)

SILENCE = {"heartbeat_timeout_seconds": 0.05}
RETRY = {"max_attempts": 3, "initial_delay": 0, "jitter": False}


def beating(function: Any, clock: ManualClock | None = None, **handling: Any) -> Recorded:
    """Return an execution of one step, whose function gets the step itself."""
    of = {"a": {"error_handling": {"retry": RETRY, **handling}}}
    return Recorded(blueprint_of({"a": function, "b": passes}, paths("a > b"), of=of), clock)


async def test_progress_is_recorded_at_most_once_a_second() -> None:
    clock = ManualClock()

    async def beats(data: Any, step: Any) -> None:
        for n in range(50):
            step.context.heartbeat(n)
            await asyncio.sleep(0)
            clock.go_forward(0.1)

    recorded = beating(beats, clock)
    await recorded.run()
    progress = [event.progress for event in recorded.log.of(ev.StepProgressed)]

    assert progress[0] == 0
    assert 1 <= len(progress) <= 5


async def test_a_step_that_runs_for_long_is_recorded_ever_less_often() -> None:
    clock = ManualClock()

    async def beats(data: Any, step: Any) -> None:
        for n in range(2_000):
            step.context.heartbeat(n)
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            clock.go_forward(60)

    recorded = beating(beats, clock)
    await recorded.run()

    assert len(recorded.log.of(ev.StepProgressed)) < 700


async def test_the_next_attempt_is_given_the_last_heartbeat() -> None:
    given: list[Any] = []

    async def beats(data: Any, step: Any) -> None:
        given.append(step.context.last_heartbeat)
        for n in range(1, 4):
            step.context.heartbeat({"rows": n * 100 * len(given)})
            await asyncio.sleep(0)
        raise ValueError("no")

    recorded = beating(beats)
    await recorded.run()

    assert given == [None, {"rows": 300}, {"rows": 600}]


async def test_a_lost_attempt_leaves_its_recorded_heartbeat() -> None:
    given: list[Any] = []

    def looks(data: Any, step: Any) -> None:
        given.append(step.context.last_heartbeat)

    recorded = beating(looks)
    before = [
        recorded.blueprint.started({}),
        ev.StepStarted(step_id="a", step_name="a", input={}),
        ev.StepProgressed(step_id="a", progress=[1, 2]),
    ]
    await recorded.execution.resume_run(folded(recorded.blueprint, before))

    assert given == [[1, 2]]


@pytest.mark.parametrize("retry", [{"retry": RETRY}, {"retry": None}])
async def test_a_silent_step_is_tried_again_and_may_succeed(retry: dict[str, Any]) -> None:
    attempts: list[int] = []

    async def falls_silent(data: Any, step: Any) -> Any:
        attempts.append(step.context.attempt)
        if len(attempts) == 1:
            await asyncio.Event().wait()
        return {"attempts": len(attempts)}

    recorded = beating(falls_silent, **SILENCE, **retry)
    outcome = await recorded.run()
    failed = recorded.log.of(ev.StepAttemptFailed)

    assert outcome.output == {"attempts": 2}
    assert [event.error.type for event in failed] == ["StepSilent"]


async def test_a_step_that_speaks_runs_as_long_as_it_likes() -> None:
    async def speaks(data: Any, step: Any) -> Any:
        for _ in range(10):
            await asyncio.sleep(0.04)
            step.context.heartbeat()

    recorded = beating(speaks, heartbeat_timeout_seconds=0.3)
    outcome = await recorded.run()

    assert outcome.status == "completed"
    assert recorded.log.of(ev.StepAttemptFailed) == []


class _Plain(Step):
    """A plain step that falls silent in its first attempt, in a thread that nothing ends."""

    over: list[BaseException]
    go = threading.Event()

    def run(self, data: Any) -> Any:
        """Fall silent, then speak when nobody listens any more."""
        if self.context.attempt == 2:
            return {"attempt": 2}
        context = self.context
        self.go.wait(10)
        try:
            context.heartbeat()
        except BaseException as error:
            self.over.append(error)
            raise


async def test_a_thread_left_behind_ends_at_its_next_heartbeat() -> None:
    _Plain.over, _Plain.go = [], threading.Event()
    recorded = beating(_Plain("a"), **SILENCE)
    outcome = await recorded.run()
    _Plain.go.set()
    until = time.monotonic() + 10
    while not _Plain.over and time.monotonic() < until:  # noqa: ASYNC110 - set in a thread
        await asyncio.sleep(0.01)

    assert outcome.output == {"attempt": 2}
    assert [type(error) for error in _Plain.over] == [AttemptOver]


@pytest.mark.parametrize("progress", [object(), {"a": float("nan")}, "x" * MAX_PROGRESS_BYTES])
async def test_progress_that_is_no_small_json_fails_the_attempt_in_words(progress: Any) -> None:
    def beats(data: Any, step: Any) -> None:
        step.context.heartbeat(progress)

    recorded = Recorded(blueprint_of({"a": beats}, paths("a > end")))
    outcome = await recorded.run()

    assert outcome.error is not None
    assert outcome.error.type == "ResultNotJson"
    assert "heartbeat()" in outcome.error.message


async def test_a_flood_from_a_thread_costs_the_log_one_record_a_second() -> None:
    class Floods(Step):
        def run(self, data: Any) -> Any:
            for n in range(20_000):
                self.context.heartbeat(n)

    recorded = beating(Floods("a"))
    began_s = time.monotonic()
    outcome = await recorded.run()
    took_s = time.monotonic() - began_s

    assert outcome.status == "completed"
    assert len(recorded.log.of(ev.StepProgressed)) <= 2 + took_s
