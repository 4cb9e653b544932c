"""Pipelines built in Python: the same JSON as a file's, checked and run alike."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from executor_service import RunFailed, create_pipeline_from_json
from steplog.builder import PipelineBuilder, all_of, any_of, join, not_, pipeline, when
from steplog.client.definition_source import definition_or_name
from steplog.errors import BadInput
from tests.steplog.builder import sample_steps as sample

MODULE = sample.__name__


def test_a_built_pipeline_is_the_definition_that_a_file_would_hold() -> None:
    flow = pipeline("weather", version="2", timeout_seconds=60)
    average = flow.then(sample.load).then(sample.mean, config={"factor": 2})
    average.then(sample.cold, when=when("result.mean", "<", 3), id="say")

    retry = {"max_attempts": 3, "initial_delay": 0}
    assert flow.definition == {
        "name": "weather",
        "version": "2",
        "timeout_seconds": 60,
        "steps": [
            {"id": "load", "module": MODULE, "step_class": "load"},
            {
                "id": "mean",
                "module": MODULE,
                "step_class": "mean",
                "config": {"factor": 2},
                "error_handling": {"timeout_seconds": 30, "retry": retry},
            },
            {"id": "say", "module": MODULE, "step_class": "cold"},
        ],
        "flow": {
            "start_at": "load",
            "paths": [
                {"from": "load", "to": "mean"},
                {
                    "from": "mean",
                    "to": "say",
                    "condition": {
                        "type": "expression",
                        "source": "result.mean",
                        "operator": "<",
                        "value": 3,
                    },
                },
            ],
        },
    }
    assert json.loads(flow.to_json()) == flow.definition


def test_branches_meet_again_and_the_whole_runs_here() -> None:
    result = sample.weather().run({"city": "Rome"})

    assert result["output"]["mean"] == 3.5
    assert result["output"]["report"].startswith("warm 3.5: ")
    assert [step["step_name"] for step in result["steps"]] == ["load", "mean", "warm", "report"]


def test_each_place_speaks_for_its_whole_pipeline() -> None:
    last = pipeline("chain").then(sample.load).then(sample.report)

    assert last.run()["output"]["city"] == "Oslo"
    assert definition_or_name(last)["name"] == "chain"  # type: ignore[index]
    assert last.check() == ()


def test_steps_added_to_the_pipeline_itself_follow_each_other() -> None:
    flow = pipeline("chain")
    flow.then(sample.load)
    flow.then(sample.report)

    assert flow.definition["flow"]["paths"] == [{"from": "load", "to": "report"}]


def test_a_step_may_be_a_class_and_stand_twice() -> None:
    last = pipeline("classes").then(sample.Load, config={"size": 1}).then(sample.Load)

    assert last.id == "Load_2"
    assert last.run()["output"] == {"from_class": None}


def test_an_error_is_caught_and_a_fallback_answers() -> None:
    flow = pipeline("found")
    flow.then(sample.missing).catch(sample.NotFound, to=sample.create, as_="problem")
    answered = pipeline("answered").then(sample.brittle)

    assert flow.run({"key": "a"})["output"]["created"] == "NotFound"
    assert answered.run({"x": 1})["output"] == {"x": 1, "instead": "no", "had": 1}


def test_what_was_done_is_undone() -> None:
    sample.UNDONE.clear()
    flow = pipeline("paid", on_failure="compensate")
    flow.then(sample.charge).then(sample.missing)

    with pytest.raises(RunFailed, match="NotFound"):
        flow.run({"amount": 5, "key": "b"})

    assert sample.UNDONE == [(5, 5)]


def test_a_loop_goes_back_to_an_earlier_place() -> None:
    flow = pipeline("rounds")
    counted = flow.then(sample.count)
    counted.then(counted, when=when("result.rounds", "<", 3))

    assert flow.run()["output"] == {"rounds": 3}


def test_every_construct_makes_a_definition_that_is_accepted() -> None:
    flow = pipeline("all", loop_config={"max_iterations": 5})
    place = flow.set({"numbers": [1, 2]}).map(
        "{{ pipeline_data.numbers }}", sample.double, step={"retries": 1}, max_concurrency=2
    )
    place = place.noop().wait(seconds=0).http("https://example.org/x", method="POST", body={"a": 1})
    place = place.child("payment", input={"n": 1}, wait=False).child(sample.built)
    place = place.ask(sample.report, timeout_seconds=5)
    chosen = flow["set"].then("end", when=not_(when("x", "exists")))
    place.switch((any_of(when("a"), all_of(when("b"), when("c"))), chosen), default="end_all")
    flow["noop"].fail("Stopped", "for a test", when=when("never", "exists"))

    blueprint = create_pipeline_from_json(json.loads(flow.to_json())).blueprint

    assert len(blueprint.plan.steps) == 10


def test_what_a_person_is_asked_is_a_step_for_people() -> None:
    asked = pipeline("asked").ask(sample.report, id="question")

    assert asked.definition["steps"][0]["type"] == "human"


def test_a_schema_may_be_a_model() -> None:
    class Order(BaseModel):
        amount: int

    flow = pipeline("order", input_schema=Order)
    flow.then(sample.charge)

    assert flow.definition["input_schema"]["properties"]["amount"]["type"] == "integer"


def _nested() -> Any:
    @sample.step
    def inside() -> None:
        """Nothing."""

    return inside


@pytest.mark.parametrize(
    ("build", "saying"),
    [
        (lambda flow: flow.then(3), "3 is no step; give a function under @step"),
        (lambda flow: flow.then(_nested()), "define it at the top of its module"),
        (lambda flow: flow.then(sample.load, config={"citty": 1}), "no parameter 'citty'; it take"),
        (lambda flow: flow.then("nowhere"), "has no step 'nowhere', and it is no end marker"),
        (lambda flow: flow.then(sample.load, id="a").then(sample.load, id="a"), "'a' already"),
        (lambda flow: flow["x"], "has no step 'x'; it has none"),
        (lambda flow: flow.definition, "add one with .then"),
        (lambda flow: join(), "give at least one"),
        (lambda flow: join(flow.then(sample.load), pipeline("b").then(sample.load)), "one and the"),
    ],
)
def test_what_makes_no_pipeline_is_refused_in_a_sentence(
    build: Callable[[PipelineBuilder], Any], saying: str
) -> None:
    with pytest.raises(BadInput, match=saying):
        build(pipeline("refused"))


def test_a_step_of_the_program_itself_is_not_sent_to_others() -> None:
    flow = pipeline("mine").then(sample.load)
    flow._draft.written("load")["module"] = "__main__"

    with pytest.raises(BadInput, match=r"steplog run FILE\.py:NAME"):
        flow.submit()
    with pytest.raises(BadInput, match="no executor can import"):
        flow.to_json()


@given(st.lists(st.sampled_from([sample.load, sample.report, sample.Load]), min_size=1, max_size=9))
def test_any_chain_is_a_definition_whose_ids_differ(steps: list[Any]) -> None:
    flow = pipeline("any")
    for one in steps:
        flow.then(one)

    definition = flow.definition
    assert len({step["id"] for step in definition["steps"]}) == len(steps)
    assert len(definition["flow"]["paths"]) == len(steps) - 1
    assert flow.check() == ()
