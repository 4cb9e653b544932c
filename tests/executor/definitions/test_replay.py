"""What a changed definition would do to executions that are recorded."""

from typing import Any

import pytest

from executor_service.definitions.blueprint import compile_definition
from executor_service.definitions.replay import Rehearsing
from executor_service.definitions.step_loader import Allowlist
from executor_service.errors import DefinitionRefused
from steplog_contracts import events as ev
from steplog_contracts.payload import JsonObject
from tests.executor.flows import Recorded, asks, blueprint_of, definition_of, passes, paths
from tests.support.construct_steps import CONSTRUCTS

NOWHERE = Allowlist()
LARGE = asks("amount", ">", 100)


def check(data: Any) -> Any:
    """A step's function that finds a fault in large amounts."""
    if data["amount"] > 1000:
        raise ValueError("too large")
    return {}


FUNCTIONS = {"check": check, "small": passes, "large": passes}
FLOW = paths("check > large", "check > small", check__large=LARGE,
             check__small={"type": "not", "condition": LARGE})  # fmt: skip


async def recorded(amount: int, **more: Any) -> Recorded:
    """Run the flow as it was."""
    run = Recorded(blueprint_of(FUNCTIONS, FLOW, **more))
    await run.run({"amount": amount})
    return run


def changed(flow: list[dict[str, Any]] = FLOW, **more: Any) -> Rehearsing:
    """Return the rehearsal of a changed definition."""
    functions = more.pop("functions", FUNCTIONS)
    definition: JsonObject = definition_of(functions, flow, **more)[1]
    return Rehearsing(definition, NOWHERE)


@pytest.mark.parametrize(("amount", "differs"), [(50, False), (150, True), (250, False)])
async def test_another_bound_moves_only_what_lies_between(amount: int, differs: bool) -> None:
    larger = asks("amount", ">", 200)
    flow = paths("check > large", "check > small", check__large=larger,
                 check__small={"type": "not", "condition": larger})  # fmt: skip

    found = changed(flow).difference((await recorded(amount)).log.events)

    assert (found is not None) == differs
    if found is not None:
        assert (found.kind, found.step_id, found.iteration) == ("route", "check", 1)
        assert (found.recorded, found.would) == (("large",), ("small",))


async def test_a_step_put_behind_has_no_recorded_result() -> None:
    flow = [*FLOW, *paths("large > audit")]
    functions = {**FUNCTIONS, "audit": passes}

    rehearsal = changed(flow, functions=functions)

    large = rehearsal.difference((await recorded(150)).log.events)
    small = rehearsal.difference((await recorded(50)).log.events)
    assert large is not None
    assert (large.kind, large.recorded, large.would) == ("route", (), ("audit",))
    assert small is None


async def test_a_failure_that_no_longer_ends_the_execution_is_told() -> None:
    going_on = {"check": {"error_handling": {"continue_on_error": True}}}

    found = changed(of=going_on).difference((await recorded(5000)).log.events)

    assert found is not None
    assert (found.kind, found.step_id) == ("failure", "check")
    assert found.message == "The step's failure would go on."


async def test_an_input_that_would_be_refused_is_told() -> None:
    schema = {"type": "object", "properties": {"amount": {"maximum": 100}}}

    found = changed(input_schema=schema).difference((await recorded(150)).log.events)

    assert found is not None
    assert found.kind == "input"
    assert "input_schema" in found.message


async def test_a_default_changes_with_the_definition_and_a_given_value_does_not() -> None:
    by_parameter = {"type": "parameter", "name": "limit", "operator": ">", "value": 10}
    flow = paths("check > large", check__large=by_parameter)
    run = Recorded(blueprint_of(FUNCTIONS, flow, parameters={"limit": 5}))
    await run.run({"amount": 1})
    given = Recorded(blueprint_of(FUNCTIONS, flow, parameters={"limit": 5}))
    await given.run({"amount": 1, "limit": 7})

    rehearsal = changed(flow, parameters={"limit": 50})

    defaulted = rehearsal.difference(run.log.events)
    assert defaulted is not None
    assert defaulted.would == ("large",)
    assert rehearsal.difference(given.log.events) is None


async def test_a_loop_that_may_not_go_round_so_often_is_told() -> None:
    rounds = {"go": lambda data: {"n": data["n"] + 1}}
    flow = paths("go > go", go__go=asks("n", "<", 4))
    run = Recorded(blueprint_of(rounds, flow))
    await run.run({"n": 0})

    found = changed(flow, functions=rounds, loop_config={"max_iterations": 2}).difference(
        run.log.events
    )

    assert found is not None
    assert (found.kind, found.step_id, found.iteration) == ("bound", "go", 3)


def test_a_definition_that_breaks_a_rule_is_refused() -> None:
    with pytest.raises(DefinitionRefused, match="nowhere"):
        changed(paths("check > nowhere"))


@pytest.mark.parametrize("end", ["timeout", "deadline", "join_any", "end_all"])
async def test_a_wait_that_never_ended_goes_the_same_way(end: str) -> None:
    """It was only scheduled when a limit passed, or a branch beside it went on without it."""
    definition = CONSTRUCTS[end][0]
    run = Recorded(compile_definition(definition, Allowlist(["tests.*"])), park=False)
    await run.run()

    assert run.log.of(ev.StepScheduled)
    assert Rehearsing(definition, Allowlist(["tests.*"])).difference(run.log.events) is None


async def test_a_deadline_that_leads_elsewhere_is_a_difference() -> None:
    definition = CONSTRUCTS["deadline"][0]
    run = Recorded(compile_definition(definition, Allowlist(["tests.*"])), park=False)
    await run.run()

    changed = Rehearsing(definition | {"deadline": {"after": 1}}, Allowlist(["tests.*"]))
    found = changed.difference(run.log.events)
    assert found is not None
    assert (found.kind, found.step_id) == ("not_reached", "late")
