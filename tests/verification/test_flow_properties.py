"""The engine against an oracle written apart from it, on random flows, and cut at any point.

Run longer with `HYPOTHESIS_PROFILE=long`. Flows that pass a bound or fail are only compared by how
they end: which of the other branches' steps ran by then is a matter of timing.
"""

import asyncio
import json
import os
from collections import Counter
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from executor_service.engine import frontier
from executor_service.engine.snapshot import restore, snapshot
from executor_service.runtime.execution import Outcome
from steplog_contracts import events as ev
from tests.executor.flows import Recorded, folded
from tests.verification.flow_cases import FlowCase, flows

EXAMPLES = 1_500 if os.environ.get("HYPOTHESIS_PROFILE") == "long" else 120
checked = settings(
    max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)


async def run_through(recorded: Recorded, case: FlowCase, start: Any) -> Outcome:
    """Run and answer every question with what the step would have returned."""
    outcome = await start
    while not outcome.ended:
        for step_id, visit in list(recorded.execution.state.visits.items()):
            answer = case.steps[int(step_id[1:])].result(visit.input)
            recorded.execution.resume(step_id, answer)
        outcome = await recorded.execution.resume_run()
    return outcome


def ran(events: list[ev.Event]) -> Counter[str]:
    """Return how often each step ended."""
    ends = [e for e in events if isinstance(e, (ev.StepCompleted, ev.StepFailed))]
    return Counter(event.step_id for event in ends)


def problems_by_step(data: Any) -> Any:
    """Return data with the step's id in place of its error, as the oracle has it."""
    if "problem" not in data:
        return data
    return {**data, "problem": data["problem"]["step_id"]}


def by_key(data: dict[str, Any]) -> list[tuple[str, str]]:
    """Return data in an order that can be compared."""
    return sorted((key, json.dumps(value)) for key, value in data.items())


def agree(case: FlowCase) -> None:
    recorded = Recorded(case.blueprint())

    outcome = asyncio.run(run_through(recorded, case, recorded.run(case.given())))

    told = case.oracle().tell("s0", case.given())
    assert outcome.status == told.status
    if told.status == "completed":
        assert problems_by_step(outcome.output) == told.output
        assert ran(recorded.log.events) == Counter(name for name, _, _ in told.runs)
        inputs = sorted((name, by_key(data)) for name, data, _ in told.runs)
        assert (
            sorted(
                (event.step_id, by_key(problems_by_step(event.input)))
                for event in recorded.log.of(ev.StepStarted)
                if event.attempt == 1
            )
            == inputs
        )


@checked
@given(flows(cycles=False))
def test_a_flow_without_cycles_runs_as_the_oracle_says(case: FlowCase) -> None:
    agree(case)


@checked
@given(flows(cycles=True))
def test_a_flow_with_cycles_runs_as_the_oracle_says(case: FlowCase) -> None:
    agree(case)


@checked
@given(flows(cycles=True))
def test_looking_at_all_branches_in_one_pass_changes_nothing(case: FlowCase) -> None:
    """Many branches arriving at once are looked at in one pass; here, any number of them."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(frontier, "_STEPS_WORTH_A_SWEEP", 0)
        agree(case)


@checked
@given(flows(cycles=True, kinds=("ok", "ok", "ok", "flaky", "asks")))
def test_retries_and_questions_change_nothing_about_the_flow(case: FlowCase) -> None:
    agree(case)


@checked
@given(flows(cycles=True, kinds=("ok", "ok", "ok", "ok", "fails")))
def test_a_failing_step_fails_the_execution(case: FlowCase) -> None:
    agree(case)


@checked
@given(flows(cycles=True, kinds=("ok", "ok", "switch", "fails")))
def test_switches_and_caught_errors_go_as_the_oracle_says(case: FlowCase) -> None:
    agree(case)


def without_attempts(output: Any) -> Any:
    """Return an output whose caught error does not say which attempt it was of."""
    caught = output.get("problem")
    return (
        {**output, "problem": {**caught, "attempt": None}} if isinstance(caught, dict) else output
    )


@checked
@given(st.data(), flows(cycles=True, kinds=("ok", "ok", "flaky", "asks", "fails", "switch")))
def test_any_prefix_of_the_events_gone_on_with_ends_the_same(
    data: st.DataObject, case: FlowCase
) -> None:
    blueprint = case.blueprint()
    whole = Recorded(blueprint)
    expected = asyncio.run(run_through(whole, case, whole.run(case.given())))
    cut = data.draw(st.integers(1, len(whole.log.events)), label="cut")
    after = Recorded(blueprint)
    state = folded(blueprint, whole.log.events[:cut])
    if not state.ended and data.draw(st.booleans(), label="parked"):
        state = restore(json.loads(json.dumps(snapshot(state))), blueprint.plan, "e-1")

    outcome = asyncio.run(run_through(after, case, after.execution.resume_run(state)))

    together = whole.log.events[:cut] + after.log.events
    assert outcome.status == expected.status
    assert outcome.state.seq == len(together)
    if expected.status == "completed":
        # An attempt that the cut lost counts, so a later one has another number.
        assert without_attempts(outcome.output) == without_attempts(expected.output)
        assert ran(together) == ran(whole.log.events)
    ends = [
        (event.step_id, event.iteration)
        for event in together
        if isinstance(event, (ev.StepCompleted, ev.StepFailed))
    ]
    assert len(ends) == len(set(ends))


@checked
@given(flows(cycles=True, kinds=("ok", "flaky", "asks")))
def test_many_executions_at_once_on_one_blueprint_are_as_alone(case: FlowCase) -> None:
    blueprint = case.blueprint()

    async def together() -> list[Outcome]:
        several = [Recorded(blueprint) for _ in range(3)]
        return await asyncio.gather(
            *(run_through(one, case, one.run({**case.given(), "p": n}))
              for n, one in enumerate(several))
        )  # fmt: skip

    outcomes = asyncio.run(together())
    alone = []
    for n in range(3):
        one = Recorded(blueprint)
        alone.append(asyncio.run(run_through(one, case, one.run({**case.given(), "p": n}))))

    assert [o.status for o in outcomes] == [o.status for o in alone]
    assert [o.output for o in outcomes] == [o.output for o in alone]
