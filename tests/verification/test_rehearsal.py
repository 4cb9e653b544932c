"""A recorded execution led through another definition, judged by really running that one."""

import asyncio
from collections import Counter
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from executor_service.definitions.blueprint import Blueprint
from executor_service.engine.replay import Divergence, rehearse
from steplog_contracts import events as ev
from tests.executor.flows import Recorded
from tests.verification.flow_cases import FlowCase, PathCase, flows
from tests.verification.test_flow_properties import checked, run_through

Routes = Counter[tuple[str, int, tuple[str, ...]]]


def recorded(case: FlowCase, blueprint: Blueprint) -> list[ev.Event]:
    """Run a flow and return its events."""
    run = Recorded(blueprint)
    asyncio.run(run_through(run, case, run.run(case.given())))
    return run.log.events


def difference(changed: Blueprint, ran: Blueprint, events: list[ev.Event]) -> Divergence | None:
    """Lead events through the changed definition."""
    started = events[0]
    assert isinstance(started, ev.ExecutionStarted)
    return rehearse(changed, ran.plan, events, started.parameters)


def routes(blueprint: Blueprint, events: list[ev.Event]) -> Routes:
    """Return where the flow went from each visit."""
    paths = blueprint.plan.paths
    return Counter(
        (event.step_id, event.iteration, tuple(paths[index].to_id for index in event.taken))
        for event in events
        if isinstance(event, ev.StepCompleted)
    )


@checked
@given(flows(cycles=True, kinds=("ok", "ok", "flaky", "asks", "fails")), st.data())
def test_under_its_own_definition_an_execution_goes_the_same_way(
    case: FlowCase, data: st.DataObject
) -> None:
    """One that is cut off anywhere, too: what is not recorded yet is no difference."""
    blueprint = case.blueprint()
    events = recorded(case, blueprint)
    cut = data.draw(st.integers(1, len(events)), label="cut")

    assert difference(blueprint, blueprint, events) is None
    assert difference(blueprint, blueprint, events[:cut]) is None


@checked
@given(flows(cycles=False), st.data())
def test_a_difference_is_told_exactly_when_the_changed_flow_really_goes_another_way(
    case: FlowCase, data: st.DataObject
) -> None:
    """Steps are functions of their data, so up to the first difference both runs agree."""
    if not case.paths:
        return
    number = data.draw(st.integers(0, len(case.paths) - 1), label="path")
    key = data.draw(st.sampled_from((None, "p", "q", "r")), label="key")
    changed_path: PathCase = replace(
        case.paths[number], key=key, below=data.draw(st.integers(1, 4))
    )
    changed_case = replace(
        case, paths=(*case.paths[:number], changed_path, *case.paths[number + 1 :])
    )
    ran, changed = case.blueprint(), changed_case.blueprint()
    events, really = recorded(case, ran), recorded(changed_case, changed)

    told = difference(changed, ran, events)

    assert (told is None) == (routes(ran, events) == routes(changed, really))
