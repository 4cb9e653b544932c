"""Limits in time of an execution: only recorded times decide, and absurd ones are refused."""

import asyncio
from datetime import datetime, timedelta
from typing import Any

import pytest

from executor_service.errors import DefinitionRefused, InputRefused
from steplog_contracts import events as ev
from tests.executor.flows import (
    BEGINNING,
    ManualClock,
    Recorded,
    blueprint_of,
    folded,
    passes,
    paths,
)

HOUR_S = 3600.0


class HandMoved(ManualClock):
    """Time that sleepers don't move."""

    async def sleep_until(self, due: datetime) -> None:
        """Return once a step has moved the clock there."""
        while self.now() < due:  # noqa: ASYNC110 - that is what it is for
            await asyncio.sleep(0.001)


def takes(clock: ManualClock, seconds: float) -> Any:
    """Return a step's function that takes so long."""

    def work(data: Any) -> Any:
        clock.go_forward(seconds)

    return work


async def for_ever(data: Any) -> Any:
    """Wait for ever."""
    await asyncio.Event().wait()


def two(clock: ManualClock, seconds: float, **more: Any) -> Recorded:
    """Return an execution whose first step takes so long."""
    functions = {"a": takes(clock, seconds), "b": passes}
    return Recorded(blueprint_of(functions, paths("a > b"), **more), clock)


async def test_an_execution_that_takes_too_long_fails_before_its_next_step() -> None:
    recorded = two(ManualClock(), 11, timeout_seconds=10)
    outcome = await recorded.run()

    assert (outcome.status, outcome.error and outcome.error.type) == ("failed", "ExecutionTimedOut")
    assert recorded.log.names()[-2:] == ["StepCompleted a", "ExecutionFailed"]


async def test_an_execution_that_is_done_in_time_completes() -> None:
    outcome = await two(HandMoved(), 9, timeout_seconds=10).run()

    assert outcome.status == "completed"


async def test_a_running_step_is_stopped_when_the_limit_passes() -> None:
    functions = {"a": for_ever}
    recorded = Recorded(blueprint_of(functions, paths("a > end"), timeout_seconds=10))
    outcome = await asyncio.wait_for(recorded.run(), 10)

    assert outcome.status == "failed"
    assert recorded.log.names()[-2:] == ["StepCancelled a", "ExecutionFailed"]


async def test_steps_beside_each_other_are_stopped_when_the_limit_passes() -> None:
    functions = {"f": passes, "a": for_ever, "b": for_ever}
    flow = paths("f > a", "f > b")
    recorded = Recorded(blueprint_of(functions, flow, timeout_seconds=10))
    outcome = await asyncio.wait_for(recorded.run(), 10)

    assert outcome.status == "failed"
    assert recorded.log.names()[-3:] == ["StepCancelled a", "StepCancelled b", "ExecutionFailed"]


async def test_the_time_before_a_restart_counts() -> None:
    clock = ManualClock()
    blueprint = blueprint_of({"a": passes, "b": passes}, paths("a > b"), timeout_seconds=10)
    before = [blueprint.started({}), ev.StepStarted(step_id="a", step_name="a", input={})]
    after = Recorded(blueprint, clock)
    clock.go_forward(11)
    outcome = await after.execution.resume_run(folded(blueprint, before))

    assert outcome.error is not None
    assert outcome.error.type == "ExecutionTimedOut"


async def test_a_wait_for_a_person_ends_with_the_limit() -> None:
    def asks(data: Any) -> Any:
        return {"status": "human_input_required"}

    recorded = Recorded(blueprint_of({"a": asks}, paths("a > end"), timeout_seconds=10))
    waiting = await recorded.run()
    due = recorded.execution.next_due
    recorded.clock.go_forward(10)
    outcome = await recorded.execution.resume_run()

    assert waiting.status == "waiting_for_human"
    assert due == BEGINNING + timedelta(seconds=10)
    assert outcome.error is not None
    assert outcome.error.type == "ExecutionTimedOut"


async def test_a_deadline_fails_the_execution() -> None:
    outcome = await two(ManualClock(), 11, deadline={"after": 10}).run()

    assert outcome.error is not None
    assert outcome.error.type == "DeadlinePassed"


async def test_a_deadline_sends_the_flow_to_its_step_with_what_there_is() -> None:
    functions = {
        "f": lambda data: {"f": 1},
        "a": for_ever,
        "b": lambda data: {"b": 2},
        "late": lambda data: {"told": sorted(data)},
    }
    flow = paths("f > a", "f > b", "a > end", "b > end", "late > end")
    recorded = Recorded(blueprint_of(functions, flow, deadline={"after": 10, "then": "late"}))
    outcome = await asyncio.wait_for(recorded.run({"x": 0}), 10)

    assert outcome.status == "completed"
    assert outcome.output == {"x": 0, "f": 1, "b": 2, "told": ["b", "f", "x"]}
    assert recorded.log.names()[-5:] == [
        "ExecutionDeadlinePassed",
        "StepCancelled a",
        "StepStarted late",
        "StepCompleted late",
        "ExecutionCompleted",
    ]


async def test_a_deadline_leads_to_its_step_once() -> None:
    clock = ManualClock()
    functions = {"a": for_ever, "late": takes(clock, HOUR_S), "last": passes}
    flow = paths("a > end", "late > last")
    blueprint = blueprint_of(functions, flow, deadline={"after": 10, "then": "late"})
    recorded = Recorded(blueprint, clock)
    await asyncio.wait_for(recorded.run(), 10)

    assert len(recorded.log.of(ev.ExecutionDeadlinePassed)) == 1


async def test_an_execution_goes_on_from_any_event_behind_its_deadline() -> None:
    functions = {"f": passes, "a": for_ever, "b": for_ever, "late": lambda data: {"late": 1}}
    flow = paths("f > a", "f > b", "late > end")
    blueprint = blueprint_of(functions, flow, deadline={"after": 10, "then": "late"})
    whole = Recorded(blueprint)
    await asyncio.wait_for(whole.run(), 10)
    passed = whole.log.names().index("ExecutionDeadlinePassed") + 1
    for length in range(passed, len(whole.log.events)):
        after = Recorded(blueprint, ManualClock(BEGINNING + timedelta(seconds=11)))
        outcome = await after.execution.resume_run(folded(blueprint, whole.log.events[:length]))
        cancelled = [*whole.log.events[:length], *after.log.events]

        assert outcome.output == {"late": 1}
        assert len([e for e in cancelled if isinstance(e, ev.StepCancelled)]) == 2


async def test_a_deadline_at_a_time_of_the_input_holds() -> None:
    at = (BEGINNING + timedelta(seconds=10)).isoformat()
    deadline = {"at": "{{ pipeline_input.due }}"}
    recorded = two(ManualClock(), 11, deadline=deadline)
    outcome = await recorded.execution.start(recorded.blueprint.started({"due": at}))

    assert outcome.error is not None
    assert outcome.error.type == "DeadlinePassed"


@pytest.mark.parametrize("due", ["soon", 7, None, "2020-01-01T00:00:00Z", "2030-01-01T00:00:00"])
def test_a_deadline_that_is_no_time_or_is_past_is_refused_when_it_begins(due: Any) -> None:
    blueprint = blueprint_of(
        {"a": passes}, paths("a > end"), deadline={"at": "{{ pipeline_input.due }}"}
    )

    with pytest.raises(InputRefused, match=r"\$\.deadline\.at"):
        blueprint.started({"due": due}, now=BEGINNING)


@pytest.mark.parametrize(
    ("more", "where"),
    [
        ({"timeout_seconds": -1}, "$.timeout_seconds"),
        ({"timeout_seconds": 0}, "$.timeout_seconds"),
        ({"timeout_seconds": 1e300}, "$.timeout_seconds"),
        ({"timeout_seconds": "10"}, "$.timeout_seconds"),
        ({"start_within_seconds": -5}, "$.start_within_seconds"),
        ({"deadline": {}}, "$.deadline"),
        ({"deadline": {"after": 1, "at": "2030-01-01T00:00:00Z"}}, "$.deadline"),
        ({"deadline": {"after": -1}}, "$.deadline.after"),
        ({"deadline": {"after": 1, "than": "a"}}, "$.deadline.than"),
        ({"deadline": {"after": 1, "then": "nobody"}}, "$.deadline.then"),
        ({"deadline": {"at": "tomorrow"}}, "$.deadline.at"),
        ({"deadline": {"at": "2030-01-01T00:00:00"}}, "$.deadline.at"),
        ({"of": {"a": {"error_handling": {"heartbeat_timeout_seconds": -1}}}},
         "$.steps[0].error_handling.heartbeat_timeout_seconds"),
    ],
)  # fmt: skip
def test_what_is_no_limit_is_refused_with_its_place(more: dict[str, Any], where: str) -> None:
    with pytest.raises(DefinitionRefused) as refused:
        blueprint_of({"a": passes}, paths("a > end"), **more)

    assert where in [problem.json_path for problem in refused.value.problems]


async def test_a_start_that_comes_too_late_fails_on_record() -> None:
    recorded = two(ManualClock(), 0, start_within_seconds=5)
    asked_at = BEGINNING - timedelta(seconds=6)
    started = recorded.blueprint.started({})
    outcome = await recorded.execution.start(started, asked_at=asked_at)

    assert outcome.error is not None
    assert outcome.error.type == "StartedTooLate"
    assert recorded.log.names() == ["ExecutionStarted", "ExecutionFailed"]


async def test_a_start_put_off_to_a_time_is_late_only_after_that_time() -> None:
    recorded = two(ManualClock(), 0, start_within_seconds=5)
    later = BEGINNING + timedelta(hours=1)
    started = recorded.blueprint.started({})
    outcome = await recorded.execution.start(started, asked_at=BEGINNING, not_before=later)

    assert outcome.status == "completed"


async def test_a_start_that_was_slept_through_fails() -> None:
    blueprint = blueprint_of({"a": passes}, paths("a > end"), start_within_seconds=5)
    due = BEGINNING + timedelta(seconds=60)
    before = [blueprint.started({}), ev.StepScheduled(step_id="a", due_at=due)]
    after = Recorded(blueprint, ManualClock(due + timedelta(seconds=6)))
    outcome = await after.execution.resume_run(folded(blueprint, before))

    assert outcome.error is not None
    assert outcome.error.type == "StartedTooLate"
