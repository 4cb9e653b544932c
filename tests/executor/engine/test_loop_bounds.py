"""Bounds of loops hold on every way round."""

from typing import Any

import pytest

from steplog_contracts import events as ev
from tests.executor.flows import Recorded, asks, blueprint_of, paths

EXPIRED = asks("result.timed_out")


def asks_briefly(data: Any) -> Any:
    """Ask a person who has a second."""
    return {"status": "human_input_required", "timeout_seconds": 1}


def fails(data: Any) -> Any:
    """Fail, whatever it is given."""
    raise ValueError("as always")


@pytest.mark.parametrize(
    ("loop", "visits"),
    [
        ({"max_iterations": 3}, 3),
        ({"max_iterations": 3, "iteration_delay_seconds": 0.5}, 3),
        ({"max_iterations": 99, "max_loop_time_seconds": 2.5}, 3),
        ({"max_iterations": 99, "max_loop_time_seconds": 5, "iteration_delay_seconds": 9}, 1),
    ],
)
@pytest.mark.parametrize("through", ["itself", "another question"])
async def test_13_a_ring_of_expiring_questions_ends_at_its_bound(
    loop: dict[str, Any], visits: int, through: str
) -> None:
    if through == "itself":
        flow = paths("ask > ask", ask__ask=EXPIRED)
        functions = {"ask": asks_briefly}
    else:
        flow = paths("ask > more", "more > ask", ask__more=EXPIRED, more__ask=EXPIRED)
        functions = {"ask": asks_briefly, "more": asks_briefly}
    recorded = Recorded(blueprint_of(functions, flow, loop_config=loop), park=False)

    outcome = await recorded.run()

    assert outcome.error is not None
    assert outcome.error.type == "LoopBoundExceeded"
    begun = [event for event in recorded.log.of(ev.StepStarted) if event.step_id == "ask"]
    assert len(begun) <= visits


async def test_a_wait_that_expired_while_it_was_set_aside_ends_once() -> None:
    flow = paths("ask > ask", ask__ask=EXPIRED)
    recorded = Recorded(
        blueprint_of({"ask": asks_briefly}, flow, loop_config={"max_iterations": 3})
    )

    outcome = await recorded.run()
    while not outcome.ended:
        recorded.clock.go_forward(1)
        outcome = await recorded.execution.resume_run()

    assert outcome.error is not None
    assert outcome.error.type == "LoopBoundExceeded"
    assert len(recorded.log.of(ev.StepStarted)) == 3


async def test_a_try_that_came_due_while_it_was_set_aside_is_begun_once() -> None:
    retry = {"retry": {"max_attempts": 2, "initial_delay": 1, "jitter": False}}
    recorded = Recorded(
        blueprint_of({"a": fails}, paths("a > end"), of={"a": {"error_handling": retry}})
    )

    outcome = await recorded.run()
    recorded.clock.go_forward(1)
    outcome = await recorded.execution.resume_run()

    assert (outcome.ended, len(recorded.log.of(ev.StepAttemptFailed, ev.StepFailed))) == (True, 2)
