"""What is not understood is refused, at every level, with its place and what may be meant."""

from typing import Any

import jsonschema
import pytest

from executor_service import DefinitionRefused, Pipeline, Step, compile_definition
from executor_service.definitions.unknown_keys import problems_of
from executor_service.engine.fold import evolve
from executor_service.engine.snapshot import restore, snapshot
from executor_service.engine.state import initial
from steplog_contracts.definition import definition_schema
from steplog_contracts.definition_parts import LANGUAGE
from steplog_contracts.payload import encode_payload
from tests.executor.definitions.test_definitions import ALLOWED, STEP, problems, written


def with_step(**keys: Any) -> dict[str, Any]:
    """Return a definition whose one step has these keys too."""
    return {**written("a"), "steps": [{"id": "a", **STEP, **keys}]}


def with_path(**keys: Any) -> dict[str, Any]:
    """Return a definition whose one path has these keys too."""
    paths = [{"from": "a", "to": "b", **keys}]
    return written("a", "b", flow={"start_at": "a", "paths": paths})


def going_if(condition: Any) -> dict[str, Any]:
    """Return a definition whose one path has a condition."""
    return with_path(condition=condition)


UNKNOWN: dict[str, tuple[dict[str, Any], str]] = {
    "$.colour": (written("a", colour="red"), "known: "),
    "$.step": (written("a", step=[]), "did you mean 'steps'?"),
    "$.max_iterations": (written("a", max_iterations=3), "it belongs in loop_config"),
    "$.loop_config.max_iteration": (
        written("a", loop_config={"max_iteration": 3}), "did you mean 'max_iterations'?"),
    "$.flow.path": (written("a", flow={"start_at": "a", "path": []}), "did you mean 'paths'?"),
    "$.flow.paths[0].whne": (with_path(whne="x"), "known: "),
    "$.parameters[0].requierd": (
        written("a", parameters=[{"name": "x", "requierd": True}]), "did you mean 'required'?"),
    "$.outputs[0].sorce": (written("a", outputs=[{"name": "x", "sorce": "{{ y }}"}]), "'source'"),
    "$.steps[0].timeout_seconds": (with_step(timeout_seconds=3), "it belongs in error_handling"),
    "$.steps[0].max_attempts": (with_step(max_attempts=3), "it belongs in error_handling.retry"),
    "$.steps[0].else": (with_step(**{"else": "b"}), "it belongs in a step of type condition"),
    "$.steps[0].class_": (with_step(class_="X"), "did you mean 'class'?"),
    "$.steps[0].error_handling.retry.tries": (
        with_step(error_handling={"retry": {"tries": 3}}), "known: "),
    "$.steps[0].config.error_handling.retry.max_attempt": (
        with_step(config={"error_handling": {"retry": {"max_attempt": 3}}}), "'max_attempts'"),
    "$.flow.paths[0].condition.feild": (
        going_if({"type": "field_equals", "feild": "x", "field": "x", "value": 1}), "'field'"),
    "$.flow.paths[0].condition.operator": (
        going_if({"type": "field_equals", "field": "x", "operator": ">", "value": 1}), "known: "),
    "$.flow.paths[0].condition.config.valeu": (
        going_if({"type": "expression",
                  "config": {"source": "x", "operator": "exists", "valeu": 1}}), "'value'"),
    "$.flow.paths[0].condition.conditions[1].config.not.vlaue": (
        going_if({"type": "all", "conditions": [{"type": "always"}, {"type": "not", "config": {
            "not": {"source": "x", "operator": "exists", "vlaue": 1}}}]}), "did you mean 'value'?"),
}  # fmt: skip

MISTYPED: dict[str, dict[str, Any]] = {
    "$.name": {**written("a"), "name": 5},
    "$.version": written("a", version=True),
    "$.loop_config.max_iterations": written("a", loop_config={"max_iterations": "3"}),
    "$.max_concurrency": written("a", max_concurrency=True),
    "$.secrets[0]": written("a", secrets=[1]),
    "$.flow.start_at": written("a", flow={"start_at": 1}),
    "$.steps[0].name": with_step(name=3),
    "$.steps[0].type": with_step(type=["task"]),
    "$.steps[0].config": with_step(config=[]),
    "$.steps[0].error_handling.timeout_seconds": with_step(error_handling={"timeout_seconds": "5"}),
    "$.steps[0].error_handling.continue_on_error": with_step(
        error_handling={"continue_on_error": 1}
    ),
    "$.steps[0].config.error_handling.retry.jitter": with_step(
        config={"error_handling": {"retry": {"jitter": "no"}}}
    ),
    "$.steps[0].inputs[0].required": with_step(inputs=[{"name": "x", "required": "yes"}]),
}


@pytest.mark.parametrize("place", UNKNOWN)
def test_a_key_that_means_nothing_is_refused_with_its_place_and_what_may_be_meant(
    place: str,
) -> None:
    definition, hint = UNKNOWN[place]

    with pytest.raises(DefinitionRefused) as refused:
        compile_definition(definition, ALLOWED)

    told = {problem.json_path: problem for problem in refused.value.problems}
    assert "There is no key" in told[place].message
    assert hint in told[place].hint


@pytest.mark.parametrize("place", MISTYPED)
def test_a_value_of_another_type_is_refused_with_its_place(place: str) -> None:
    assert place in problems(MISTYPED[place])


@pytest.mark.parametrize("place", [*UNKNOWN, *MISTYPED])
def test_what_is_asked_before_sending_says_the_same(place: str) -> None:
    definition = UNKNOWN[place][0] if place in UNKNOWN else MISTYPED[place]

    before = {problem.json_path: problem.message for problem in problems_of(definition)}

    assert before[place] == problems(definition)[place]


@pytest.mark.parametrize("place", UNKNOWN)
def test_the_published_schema_does_not_accept_it_either(place: str) -> None:
    definition = UNKNOWN[place][0]

    accepted = jsonschema.Draft202012Validator(definition_schema()).is_valid(definition)

    # What stands inside `config` is a step's own; only the executor looks for a known key there.
    assert accepted is (".config.error_handling" in place)


def test_a_pipeline_of_objects_is_refused_alike() -> None:
    flow = {"start_at": "a", "paths": [{"from": "a", "to": "end", "unless": True}]}

    with pytest.raises(DefinitionRefused, match=r"\$.flow.paths\[0\].unless: There is no key"):
        Pipeline("p", [Step("a", {})], flow)


def test_metadata_and_keys_of_ones_own_are_free_at_every_level() -> None:
    own = {"x-team": [1], "metadata": {"cost": 3}}
    condition = {"type": "all", "conditions": [{"type": "always", **own}], **own}
    handling = {"retry": {"max_attempts": 2, **own}, **own}
    definition = {
        **written("a", "b", parameters=[{"name": "x", **own}], loop_config=own),
        **own,
        "$schema": "https://steplog.dev/schemas/definition.json",
        "steps": [
            {"id": "a", **STEP, **own, "error_handling": handling,
             "inputs": [{"name": "i", **own}]},
            {"id": "b", **STEP, "type": "x-ours"},
        ],
        "flow": {"start_at": "a", **own,
                 "paths": [{"from": "a", "to": "b", **own, "condition": condition}]},
    }  # fmt: skip

    assert compile_definition(definition, ALLOWED).warnings == ()
    assert jsonschema.Draft202012Validator(definition_schema()).is_valid(definition)


# This one was refused then too.
@pytest.mark.parametrize("place", sorted(UNKNOWN.keys() - {"$.steps[0].else"}))
def test_what_began_under_the_first_language_is_read_as_it_was(place: str) -> None:
    definition = UNKNOWN[place][0]

    blueprint = compile_definition(definition, ALLOWED, is_recorded=True, language=1)

    assert blueprint.plan.start_at == "a"
    assert blueprint.language == 1


def test_names_that_came_later_meant_nothing_in_the_first_language() -> None:
    definition = {**with_step(description=["of", "old"]), "$schema": 5}

    assert compile_definition(definition, ALLOWED, is_recorded=True, language=1).plan.steps
    assert "$.steps[0].description" in problems(definition)


def test_a_language_of_a_newer_version_is_left_to_it() -> None:
    with pytest.raises(DefinitionRefused, match=f"language {LANGUAGE + 1}"):
        compile_definition(written("a"), ALLOWED, is_recorded=True, language=LANGUAGE + 1)


def test_the_language_is_on_record_and_in_a_snapshot() -> None:
    blueprint = compile_definition(written("a"), ALLOWED)
    started = blueprint.started({})
    state = evolve(initial(blueprint), started)

    assert started.language == LANGUAGE
    assert b'"language":2' in encode_payload(started)
    assert restore(snapshot(state), blueprint.plan, "e").language == LANGUAGE
    assert b"language" not in encode_payload(started.model_copy(update={"language": 1}))
