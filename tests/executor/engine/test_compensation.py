"""Completed steps of an execution that failed are undone, the newest first, each on record."""

from itertools import pairwise
from typing import Any

import pytest

from executor_service import Step
from executor_service.errors import CommandNotApplicable, DefinitionRefused
from steplog_contracts import events as ev
from tests.executor.flows import ManualClock, Recorded, blueprint_of, folded, passes, paths

UNDONE: list[tuple[str, Any, Any]] = []
RETRY = {"max_attempts": 2, "initial_delay": 5, "jitter": False}


@pytest.fixture(autouse=True)
def _forget() -> None:
    UNDONE.clear()


class Books(Step):
    """Books something, and can undo it."""

    def __init__(self, name: str, fails: int = 0) -> None:
        super().__init__(name, {})
        self.fails = [fails]

    async def run(self, data: Any) -> Any:
        """Book."""
        return {f"{self.name}_id": self.name.upper()}

    async def compensate(self, data: Any, output: Any) -> Any:
        """Undo, after some failures."""
        if self.fails[0]:
            self.fails[0] -= 1
            raise ConnectionError("away")
        UNDONE.append((self.name, dict(data), output))
        return {"undone": self.name}


def fails(data: Any) -> Any:
    """Fail."""
    raise ValueError("no")


def trip(**steps: Any) -> Any:
    """Return the blueprint of a row of bookings whose last step fails."""
    functions = {"hotel": Books("hotel"), "flight": Books("flight"), "pay": fails} | steps
    ids = list(functions)
    flow = paths(*(f"{a} > {b}" for a, b in pairwise(ids)))
    return blueprint_of(functions, flow, on_failure="compensate")


async def test_completed_steps_are_undone_in_reverse_order_with_what_they_had() -> None:
    recorded = Recorded(trip())
    outcome = await recorded.run({"x": 1})

    assert (outcome.status, outcome.error and outcome.error.type) == ("failed", "ValueError")
    assert UNDONE == [
        ("flight", {"x": 1, "hotel_id": "HOTEL"}, {"flight_id": "FLIGHT"}),
        ("hotel", {"x": 1}, {"hotel_id": "HOTEL"}),
    ]
    assert recorded.log.names()[-7:] == [
        "StepFailed pay",
        "ExecutionCompensating",
        "StepCompensationStarted flight",
        "StepCompensated flight",
        "StepCompensationStarted hotel",
        "StepCompensated hotel",
        "ExecutionFailed",
    ]


async def test_each_attempt_is_acknowledged_before_it_runs() -> None:
    known: list[str] = []

    class Looks(Books):
        async def compensate(self, data: Any, output: Any) -> Any:
            known.append(recorded.log.names()[-1])

    recorded = Recorded(trip(flight=Looks("flight")))
    await recorded.run()

    assert known == ["StepCompensationStarted flight"]


async def test_a_definition_that_asks_for_nothing_undoes_nothing() -> None:
    functions = {"hotel": Books("hotel"), "pay": fails}
    recorded = Recorded(blueprint_of(functions, paths("hotel > pay")))
    await recorded.run()

    assert UNDONE == []


async def test_an_execution_that_completes_undoes_nothing() -> None:
    outcome = await Recorded(trip(pay=passes)).run()

    assert (outcome.status, UNDONE) == ("completed", [])


async def test_a_failed_attempt_is_tried_again_by_its_own_retry() -> None:
    recorded = Recorded(trip(flight=Books("flight", fails=2)))
    outcome = await recorded.run()

    assert outcome.status == "failed"
    assert [name for name, *_ in UNDONE] == ["flight", "hotel"]
    assert len(recorded.log.of(ev.StepCompensationFailed)) == 2


async def test_one_that_fails_for_ever_stops_there_and_can_be_resumed() -> None:
    recorded = Recorded(trip(flight=Books("flight", fails=4)))
    stuck = await recorded.run()
    attempts = len(recorded.log.of(ev.StepCompensationStarted))
    recorded.execution.resume(None, {}, cause="c-2")
    outcome = await recorded.execution.resume_run()

    assert (stuck.status, stuck.ended, attempts) == ("compensating", False, 3)
    assert (outcome.status, [name for name, *_ in UNDONE]) == ("failed", ["flight", "hotel"])
    assert "c-2" in recorded.log.causes


async def test_a_cancel_gives_a_stuck_compensation_up() -> None:
    recorded = Recorded(trip(flight=Books("flight", fails=99)))
    await recorded.run()
    recorded.execution.cancel("enough", "anna")
    outcome = await recorded.execution.resume_run()

    assert (outcome.status, UNDONE) == ("failed", [])


async def test_only_what_is_stuck_can_be_resumed() -> None:
    recorded = Recorded(trip())
    await recorded.run()

    with pytest.raises(CommandNotApplicable):
        recorded.execution.resume(None, {})


async def test_it_goes_on_after_a_crash_at_any_event() -> None:
    blueprint = trip(flight=Books("flight", fails=1))
    whole = Recorded(blueprint)
    await whole.run({"x": 1})
    begun = whole.log.names().index("ExecutionCompensating") + 1
    for length in range(begun, len(whole.log.events)):
        UNDONE.clear()
        after = Recorded(trip(), ManualClock())
        outcome = await after.execution.resume_run(
            folded(after.blueprint, whole.log.events[:length])
        )
        events = [*whole.log.events[:length], *after.log.events]
        undone = [event.step_id for event in events if isinstance(event, ev.StepCompensated)]

        assert outcome.status == "failed"
        assert undone == ["flight", "hotel"]


async def test_a_cancel_undoes_what_was_done_if_asked() -> None:
    async def cancels(data: Any, step: Any) -> Any:
        recorded.execution.cancel("no more", compensate=True)

    functions = {"hotel": Books("hotel"), "stop": cancels, "last": passes}
    recorded = Recorded(blueprint_of(functions, paths("hotel > stop", "stop > last")))
    outcome = await recorded.run()

    assert (outcome.status, [name for name, *_ in UNDONE]) == ("cancelled", ["hotel"])


async def test_each_visit_of_a_loop_is_undone() -> None:
    def counts(data: Any) -> Any:
        if data.get("n", 0) >= 2:
            raise ValueError("no")
        return {"n": data.get("n", 0) + 1}

    functions = {"hotel": Books("hotel"), "count": counts}
    flow = paths("hotel > count", "count > hotel")
    recorded = Recorded(blueprint_of(functions, flow, on_failure="compensate"))
    await recorded.run()

    assert [e.iteration for e in recorded.log.of(ev.StepCompensated)] == [3, 2, 1]


@pytest.mark.parametrize("compensate", ["nothing_of_it", True, {"method": "none"}])
def test_a_method_that_is_not_there_is_refused(compensate: Any) -> None:
    with pytest.raises(DefinitionRefused, match="no method"):
        blueprint_of({"a": passes}, paths("a > end"), of={"a": {"compensate": compensate}})


async def test_false_leaves_a_step_as_it_is() -> None:
    functions = {"hotel": Books("hotel"), "pay": fails}
    of = {"hotel": {"compensate": False}}
    more = {"of": of, "on_failure": "compensate"}
    await Recorded(blueprint_of(functions, paths("hotel > pay"), **more)).run()

    assert UNDONE == []
