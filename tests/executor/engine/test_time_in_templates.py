"""`now()` is one time for each visit, on record: the same for each attempt and after a crash."""

from datetime import timedelta
from typing import Any

import pytest

from executor_service import Allowlist, DefinitionRefused, Step
from executor_service.definitions.blueprint import Blueprint, compile_definition
from executor_service.engine.snapshot import restore, snapshot
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

NOW = {"at": "{{ now() }}"}
RETRY = {"retry": {"max_attempts": 3, "initial_delay": 60, "jitter": False}}


class Stamps(Step):
    """Notes the times it is given, and fails some times."""

    def __init__(self, name: str, fails: int = 0) -> None:
        super().__init__(name, {})
        self.fails = [fails]

    async def run(self, data: Any) -> Any:
        """Return the times of its inputs and config."""
        if self.fails[0]:
            self.fails[0] -= 1
            raise ConnectionError("away")
        return {"seen": [data["at"], self.config["at"]]}

    async def compensate(self, data: Any, output: Any) -> Any:
        """Return the times again."""
        return [data["at"], self.config["at"]]


def stamping(fails: int = 0) -> Blueprint:
    """Return a step that is given the time in inputs and config, and one that fails behind it."""

    def ends(data: Any) -> Any:
        raise ValueError("no")

    keys = {"inputs": NOW, "config": NOW, "error_handling": RETRY}
    steps = {"a": Stamps("a", fails), "b": ends}
    return blueprint_of(steps, paths("a > b"), of={"a": keys}, on_failure="compensate")


def seen(events: list[ev.Event]) -> list[str]:
    """Return the times that the step saw."""
    [end] = [e for e in events if isinstance(e, ev.StepCompleted) and e.step_id == "a"]
    return list(end.output["seen"])


async def test_inputs_config_attempts_and_the_undoing_see_the_time_that_is_on_record() -> None:
    recorded = Recorded(stamping(fails=2), park=False)
    await recorded.run()

    begun = recorded.log.of(ev.StepStarted)
    undone = recorded.log.of(ev.StepCompensated)
    assert [event.evaluated_at for event in begun] == [BEGINNING, None, None, None]
    assert recorded.clock.now() > BEGINNING + timedelta(seconds=60)
    assert seen(recorded.log.events) == [BEGINNING.isoformat()] * 2
    assert undone[0].output == [BEGINNING.isoformat()] * 2


async def test_it_is_the_same_after_a_crash_at_any_event() -> None:
    whole = Recorded(stamping(fails=1), park=False)
    await whole.run()
    for length in range(2, len(whole.log.events)):
        later = ManualClock(BEGINNING + timedelta(hours=1))
        after = Recorded(stamping(), later, park=False)
        await after.execution.resume_run(folded(after.blueprint, whole.log.events[:length]))

        assert seen([*whole.log.events[:length], *after.log.events]) == [BEGINNING.isoformat()] * 2


async def test_it_is_in_a_snapshot() -> None:
    recorded = Recorded(stamping(), park=False)
    await recorded.run()
    state = folded(recorded.blueprint, recorded.log.events[:2])
    after_a = folded(recorded.blueprint, recorded.log.events[:3])

    again = restore(snapshot(state), recorded.blueprint.plan, "e-1")
    later = restore(snapshot(after_a), recorded.blueprint.plan, "e-1")
    assert again.visits["a"].evaluated_at == BEGINNING
    assert later.done[0].evaluated_at == BEGINNING


async def test_each_round_of_a_loop_has_its_own() -> None:
    async def counts(data: Any, step: Any) -> Any:
        recorded.clock.go_forward(5)
        return {"n": data.get("n", 0) + 1, "times": [*data.get("times", ()), step.config["at"]]}

    flow = [{"from": "a", "to": "a", "condition": {"type": "field_less_than", "field": "n",
                                                    "value": 3}}]  # fmt: skip
    recorded = Recorded(blueprint_of({"a": counts}, flow, of={"a": {"config": NOW}}))
    outcome = await recorded.run()

    seconds = [(BEGINNING + timedelta(seconds=s)).isoformat() for s in (0, 5, 10)]
    assert outcome.output["times"] == seconds


@pytest.mark.parametrize("step", [
    {"type": "set", "values": NOW},
    {"type": "map", "items": ["{{ now() }}"], "step": {
        "module": "tests.executor.example_steps", "step_class": "Echo"}},
    {"type": "map", "items": [1], "step": {"inputs": NOW,
        "module": "tests.executor.example_steps", "step_class": "Echo"}},
    {"type": "pipeline", "pipeline": "other", "input": NOW},
])  # fmt: skip
async def test_steps_of_every_type_have_it_on_record(step: dict[str, Any]) -> None:
    definition = {"name": "p", "steps": [{"id": "a", **step}], "flow": {"start_at": "a"}}
    recorded = Recorded(compile_definition(definition, Allowlist(["tests.*"])))
    await recorded.run()

    [asked] = [e for e in recorded.log.of(ev.StepStarted) if e.evaluated_at is not None]
    assert asked.evaluated_at == BEGINNING
    if step["type"] != "set":
        assert BEGINNING.isoformat() in str(asked.input)


async def test_a_step_that_does_not_ask_records_none() -> None:
    recorded = Recorded(blueprint_of({"a": passes}, paths("a > end")))
    await recorded.run()

    assert recorded.log.of(ev.StepStarted)[0].evaluated_at is None


@pytest.mark.parametrize(
    "more",
    [
        {"outputs": NOW},
        {"deadline": {"at": "{{ now() }}"}},
        {"flow": {"start_at": "a", "paths": [{"from": "a", "to": "end", "condition": {
            "type": "field_equals", "field": "x", "value": "{{ default(gone, now()) }}"}}]}},
    ],
)  # fmt: skip
def test_where_nothing_would_record_it_it_is_refused(more: dict[str, Any]) -> None:
    definition = {"name": "p", "steps": [{"id": "a", "type": "noop"}], "flow": {"start_at": "a"}}

    with pytest.raises(DefinitionRefused, match="now") as refused:
        compile_definition(definition | more, Allowlist())

    [problem] = refused.value.problems
    assert "is known where a step runs" in problem.message
