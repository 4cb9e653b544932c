"""Steps without Python: `set`, `noop`, `fail`, `wait`."""

import itertools
import json
from datetime import timedelta
from typing import Any

import pytest

from executor_service import DefinitionRefused, RunFailed
from executor_service.definitions.blueprint import Blueprint, compile_definition
from executor_service.definitions.step_loader import Allowlist
from executor_service.engine.snapshot import restore, snapshot
from executor_service.library.runner import create_pipeline_from_json
from steplog_contracts import events as ev
from tests.executor.flows import (
    BEGINNING,
    ManualClock,
    Recorded,
    folded,
    order,
    paths,
    results,
)


def written(*steps: dict[str, Any], **more: Any) -> dict[str, Any]:
    """Return a definition of steps in a row, named a, b, c."""
    ids = "abcdef"[: len(steps)]
    row = [f"{one} > {two}" for one, two in itertools.pairwise(ids)]
    return {
        "name": "p",
        "steps": [{"id": name, **step} for name, step in zip(ids, steps, strict=True)],
        "flow": {"start_at": "a", "paths": paths(*row)},
        **more,
    }


def compiled(*steps: dict[str, Any], **more: Any) -> Blueprint:
    return compile_definition(written(*steps, **more), Allowlist())


def refusals(*steps: dict[str, Any]) -> set[str]:
    with pytest.raises(DefinitionRefused) as refused:
        compiled(*steps)
    return {problem.json_path for problem in refused.value.problems}


async def ran(*steps: dict[str, Any], given: Any = None, **more: Any) -> dict[str, Any]:
    """Run a definition that names no module at all."""
    return await create_pipeline_from_json(written(*steps, **more), allowlist=Allowlist()).run(
        given
    )


SET = {"type": "set", "values": {"greeting": "Hello {{ name }}", "all": "{{ names }}", "n": 1}}
NOOP = {"type": "noop"}


async def test_set_lays_its_values_over_the_data() -> None:
    result = await ran(SET, NOOP, given={"name": "Ida", "names": ["Ida", "Bo"]})

    assert result["output"] == {
        "name": "Ida", "names": ["Ida", "Bo"], "greeting": "Hello Ida", "all": ["Ida", "Bo"], "n": 1
    }  # fmt: skip
    assert order(result) == ["a", "b"]


async def test_set_reads_its_own_inputs() -> None:
    step = {"type": "set", "inputs": {"x": "{{ pipeline_input.y }}"}, "values": {"z": "{{ x }}"}}

    assert (await ran(step, given={"y": 3}))["output"] == {"y": 3, "z": 3}


async def test_set_without_what_it_asks_for_fails() -> None:
    with pytest.raises(RunFailed, match=r"values.all asks for \{\{ names \}\}"):
        await ran(SET, given={"name": "Ida"})


async def test_fail_fails_with_the_error_and_text_it_names() -> None:
    step = {"type": "fail", "error": "NotFound", "message": "No {{ what }}."}

    with pytest.raises(RunFailed) as failed:
        await ran(step, given={"what": "row"})

    assert (failed.value.error.type, failed.value.error.message) == ("NotFound", "No row.")


async def test_a_named_failure_is_caught_by_its_name() -> None:
    step = {"type": "fail", "error": "NotFound", "catch": [{"errors": ["NotFound"], "to": "b"}]}

    result = await ran(step, NOOP)

    assert order(result) == ["a", "b"]
    assert results(result)["a"]["error"]["type"] == "NotFound"


async def test_built_in_steps_stand_beside_objects_and_classes() -> None:
    recorded = Recorded(compiled(NOOP, SET, NOOP))

    outcome = await recorded.run({"name": "Ida", "names": []})

    assert outcome.status == "completed"
    assert [event.step_type for event in recorded.log.of(ev.StepStarted)] == ["noop", "set", "noop"]


@pytest.mark.parametrize(
    ("settings", "given", "due"),
    [
        ({"seconds": 90}, {}, BEGINNING + timedelta(seconds=90)),
        ({"seconds": "{{ pause }}"}, {"pause": 5}, BEGINNING + timedelta(seconds=5)),
        ({"until": "2026-03-01T13:00:00Z"}, {}, BEGINNING + timedelta(hours=1)),
        ({"until": "{{ at }}"}, {"at": "2026-03-01T13:01:30+01:00"},
         BEGINNING + timedelta(seconds=90)),
        ({"seconds": 0}, {}, BEGINNING),
        ({"until": "2020-01-01T00:00:00Z"}, {}, BEGINNING),
    ],
)  # fmt: skip
async def test_a_wait_ends_at_its_time(settings: dict[str, Any], given: Any, due: Any) -> None:
    recorded = Recorded(compiled({"type": "wait", **settings}, NOOP), park=False)

    outcome = await recorded.run(given)

    [scheduled] = recorded.log.of(ev.StepScheduled)
    assert outcome.status == "completed"
    assert recorded.clock.now() == due
    assert scheduled.due_at <= due
    assert recorded.log.names() == [
        "ExecutionStarted", "StepScheduled a", "StepStarted a", "StepCompleted a",
        "StepStarted b", "StepCompleted b", "ExecutionCompleted",
    ]  # fmt: skip


async def test_a_long_wait_is_left_and_resumed_after_a_restart() -> None:
    blueprint = compiled({"type": "wait", "seconds": 86_400}, NOOP)
    recorded = Recorded(blueprint)
    recorded.execution._park_over = timedelta(seconds=60)

    parked = await recorded.run()

    assert not parked.ended
    saved = json.loads(json.dumps(snapshot(folded(blueprint, recorded.log.events))))
    clock = ManualClock(BEGINNING + timedelta(hours=23))
    after = Recorded(blueprint, clock, park=False)
    outcome = await after.execution.resume_run(restore(saved, blueprint.plan, "e-1"))
    assert outcome.status == "completed"
    assert clock.now() == BEGINNING + timedelta(days=1)


@pytest.mark.parametrize(
    ("settings", "given", "message"),
    [
        ({"seconds": "{{ pause }}"}, {"pause": -1}, "from 0 to"),
        ({"seconds": "{{ pause }}"}, {"pause": 1e300}, "from 0 to"),
        ({"seconds": "{{ pause }}"}, {"pause": True}, "of type bool"),
        ({"seconds": "{{ pause }}"}, {"pause": "soon"}, "of type str"),
        ({"seconds": "{{ pause }}"}, {}, "leads nowhere"),
        ({"until": "{{ at }}"}, {"at": "tomorrow"}, "is no time"),
        ({"until": "{{ at }}"}, {"at": "2030-01-01T00:00:00"}, "names no time zone"),
        ({"until": "{{ at }}"}, {"at": "9000-01-01T00:00:00Z"}, "100 years"),
        ({"until": "{{ at }}"}, {"at": None}, "is null"),
    ],
)
async def test_a_wait_that_leads_to_no_time_fails(
    settings: dict[str, Any], given: Any, message: str
) -> None:
    recorded = Recorded(compiled({"type": "wait", **settings}))

    outcome = await recorded.run(given)

    assert outcome.status == "failed"
    assert outcome.error is not None
    assert message in outcome.error.message


@pytest.mark.parametrize(
    ("step", "place"),
    [
        ({"type": "wait"}, "$.steps[0]"),
        ({"type": "wait", "seconds": 1, "until": "2030-01-01T00:00:00Z"}, "$.steps[0]"),
        ({"type": "wait", "seconds": -1}, "$.steps[0].seconds"),
        ({"type": "wait", "seconds": 1e300}, "$.steps[0].seconds"),
        ({"type": "wait", "until": "soon"}, "$.steps[0].until"),
        ({"type": "set"}, "$.steps[0].values"),
        ({"type": "set", "values": [1]}, "$.steps[0].values"),
        ({"type": "noop", "module": "os"}, "$.steps[0].module"),
        ({"type": "noop", "error_handling": {}}, "$.steps[0].error_handling"),
        ({"type": "fail", "error": "no name"}, "$.steps[0].error"),
    ],
)
def test_what_has_no_meaning_is_refused(step: dict[str, Any], place: str) -> None:
    assert place in refusals(step)


async def test_a_wait_in_a_loop_waits_in_every_round() -> None:
    definition = written({"type": "wait", "seconds": 10}, NOOP, loop_config={"max_iterations": 3})
    definition["flow"]["paths"].append({"from": "b", "to": "a"})
    recorded = Recorded(compile_definition(definition, Allowlist()), park=False)

    outcome = await recorded.run()

    assert outcome.status == "failed"
    assert recorded.clock.now() == BEGINNING + timedelta(seconds=30)


async def test_a_start_that_is_put_off_waits_from_then_on() -> None:
    recorded = Recorded(compiled({"type": "wait", "seconds": 10}), park=False)

    await recorded.execution.start(
        recorded.blueprint.started({}), not_before=BEGINNING + timedelta(seconds=60)
    )

    assert recorded.clock.now() == BEGINNING + timedelta(seconds=70)
