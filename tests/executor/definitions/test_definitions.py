"""Definitions: what is refused, with everything wrong named at once, and the published format."""

import itertools
import json
from typing import Any

import jsonschema
import pytest

from executor_service import (
    Allowlist,
    DefinitionRefused,
    GraphPipelineRunner,
    Pipeline,
    Problem,
    Step,
    compile_definition,
    create_pipeline_from_json,
)
from executor_service.library.compat import differences
from executor_service.library.compat import main as compat_main
from steplog_contracts.publishing.generate import DEFINITION
from tests.executor.flows import asks

STEP = {"module": "tests.executor.example_steps", "step_class": "Echo"}
ALLOWED = Allowlist(["tests.executor.*"])


def written(*step_ids: str, **more: Any) -> dict[str, Any]:
    """Return a definition of these steps in a row."""
    paths = [{"from": a, "to": b} for a, b in itertools.pairwise(step_ids)]
    return {
        "name": "p",
        "steps": [{"id": step_id, **STEP} for step_id in step_ids],
        "flow": {"start_at": step_ids[0], "paths": paths},
        **more,
    }


def problems(definition: Any, allowlist: Allowlist = ALLOWED) -> dict[str, str]:
    """Return what is wrong, by JSON path."""
    with pytest.raises(DefinitionRefused) as caught:
        compile_definition(definition, allowlist)
    return {problem.json_path: problem.message for problem in caught.value.problems}


def test_everything_wrong_is_told_at_once_with_its_place() -> None:
    definition = written("a", "b", "a")
    definition["steps"][1]["module"] = "os"
    definition["flow"]["paths"] += [
        {"from": "a", "to": "nowhere"},
        {"from": "ghost", "to": "b", "condition": asks("n", "roughly")},
        {"to": "b"},
    ]
    definition["flow"]["start_at"] = "start"

    found = problems(definition)

    assert set(found) == {
        "$.steps[2].id", "$.steps[1].module", "$.flow.paths[2].to_step",
        "$.flow.paths[3].from_step", "$.flow.paths[3].condition.operator",
        "$.flow.paths[4].from_step", "$.flow.start_at",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("definition", "place"),
    [
        ({}, "$.name"),
        ([], "$"),
        (None, "$"),
        ({"name": "p", "steps": [], "flow": {"start_at": "a"}}, "$.steps"),
        (written("a", flow={"paths": []}), "$.flow.start_at"),
        (written("a", loop_config={"max_iterations": 0}), "$.loop_config.max_iterations"),
        (written("a", input_schema={"type": "nonsense"}), "$.input_schema"),
        (written("a", input_schema={"$ref": "http://127.0.0.1:9/x"}), "$.input_schema"),
        (written("a", parameters={"x": "{{ parameters.x }}"}), "$.parameters.x"),
        (written("a", metadata={"deep": float("nan")}), "$"),
        (written("a", version=[1]), "$.version"),
        (written("a", on_failure="undo"), "$.on_failure"),
    ],
)
def test_a_definition_of_the_wrong_shape_is_refused(definition: Any, place: str) -> None:
    assert place in problems(definition)


@pytest.mark.parametrize(
    "handling", [{"retry": {"max_attempts": 0}}, {"timeout_seconds": -1}, {"retry": 3}]
)
@pytest.mark.parametrize("inside_config", [True, False])
def test_bad_error_handling_is_refused_wherever_it_stands(
    handling: Any, inside_config: bool
) -> None:
    definition = written("a")
    keys = {"error_handling": handling}
    definition["steps"][0] |= {"config": keys} if inside_config else keys

    assert any("error_handling" in place for place in problems(definition))


@pytest.mark.parametrize(
    "module", ["os", "builtins", "subprocess", "os.path", "tests.other", "", ".relative", "sys"]
)
def test_a_module_off_the_allowlist_is_never_imported(module: str) -> None:
    definition = written("a")
    definition["steps"][0]["module"] = module

    assert "$.steps[0].module" in problems(definition, Allowlist(["os", "builtins", "tests.exec"]))


@pytest.mark.parametrize("allowed", [["tests.executor.example_steps"], ["tests.*"], ["tests .x"]])
def test_the_allowlist_takes_exact_names_and_packages(allowed: list[str]) -> None:
    accepted = not allowed[0].endswith(".x")

    assert Allowlist(allowed).allows("tests.executor.example_steps") is accepted


@pytest.mark.parametrize(
    ("class_name", "told"),
    [("Missing", "has no 'Missing'"), ("NUMBER", "no step class"), ("getpid", "allowlist")],
)
def test_a_class_that_is_none_is_refused(class_name: str, told: str) -> None:
    definition = written("a")
    definition["steps"][0]["step_class"] = class_name

    assert told in problems(definition)["$.steps[0].module"]


def test_a_template_that_names_its_own_step_is_refused_outside_a_loop() -> None:
    definition = written("a", "b")
    definition["steps"][1]["config"] = {"x": "{{ steps.b.output.x }}"}
    definition["steps"][0]["config"] = {"y": "{{ steps.b.output.x | parameters.y }}"}

    assert list(problems(definition)) == ["$.steps[1].config"]


def test_a_template_that_names_no_step_is_refused() -> None:
    definition = written("a")
    definition["steps"][0]["inputs"] = {"x": "{steps.zzz.output.x}"}

    assert "names no declared step" in problems(definition)["$.steps[0].inputs.x"]


def test_what_is_odd_but_has_a_meaning_is_warned_of() -> None:
    definition = written("a", "b")
    definition["steps"].append({"id": "lonely", **STEP})
    definition["flow"]["paths"].append({"from": "b", "to": "a"})

    warnings = compile_definition(definition, ALLOWED).warnings

    assert [w.json_path for w in warnings] == ["$.steps[2]", "$.steps[0]"]
    assert "always skipped" in warnings[0].message
    assert "no condition that ends it" in warnings[1].message


async def test_a_pipeline_of_objects_is_refused_with_the_same_words() -> None:
    flow = {"start_at": "a", "paths": [{"from": "a", "to": "nowhere"}]}

    with pytest.raises(DefinitionRefused, match=r"paths\[0\].to_step: There is no step 'nowhere'"):
        Pipeline("p", [Step("a", {})], flow)


@pytest.mark.parametrize("spelling", [("from", "to"), ("from_step", "to_step")])
async def test_the_runner_takes_both_spellings_and_a_dict(spelling: tuple[str, str]) -> None:
    definition = written("a", "b")
    definition["flow"]["paths"] = [dict(zip(spelling, ("a", "b"), strict=True))]

    result = await GraphPipelineRunner().run_pipeline_from_json(definition, {"x": 1})

    assert [step["step_name"] for step in result["steps"]] == ["a", "b"]
    assert result["output"] == {"x": 1, "a_was": 1, "b_was": 1}


async def test_a_pipeline_is_made_of_a_file(tmp_path: Any) -> None:
    file = tmp_path / "p.json"
    file.write_text(json.dumps(written("a")))

    pipeline = create_pipeline_from_json(str(file))

    assert (await pipeline.run({}))["output"] == {"a_was": 1}
    assert pipeline._build_execution_path() == ["a"]


@pytest.mark.parametrize("content", ["{", "[]", "[" * 100_000])
def test_a_file_that_holds_no_definition_is_refused_in_one_sentence(
    tmp_path: Any, content: str
) -> None:
    file = tmp_path / "p.json"
    file.write_text(content)

    with pytest.raises(DefinitionRefused):
        create_pipeline_from_json(file)


def test_the_published_schema_accepts_what_is_accepted() -> None:
    schema = json.loads(DEFINITION.read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)

    assert validator.is_valid(written("a", "b"))
    assert not validator.is_valid(written("a", loop_config={"max_iterations": 0}))
    assert not validator.is_valid(written("a", flow={"start_at": "a", "paths": [{"from": "a"}]}))


def test_compat_tells_what_another_definition_would_do_differently() -> None:
    definition = written("a", "b", "c")
    definition["steps"][0]["module"] = "ia_modules.steps"
    definition["flow"]["paths"] = [
        {"from": "a", "to": "b", "condition": asks("x", "regex", "y")},
        {"from": "a", "to": "c", "condition": {"type": "agent"}},
        {"from": "c", "to": "end_with_failure"},
    ]

    places = [difference.json_path for difference in differences(definition)]

    assert places == [
        "$", "$.steps[0].module", "$.flow.paths[0].condition.operator",
        "$.flow.paths[0].condition", "$.flow.paths[1].condition", "$.flow.paths[2].to",
        "$.flow.paths (from 'a')",
    ]  # fmt: skip


@pytest.mark.parametrize("broken", [{}, {"steps": 3, "flow": []}, {"steps": [1], "flow": {}}])
def test_compat_reads_anything(broken: Any) -> None:
    assert differences(broken)


def test_a_definition_of_endless_blanks_is_read_in_one_pass() -> None:
    definition = written("a")
    definition["steps"][0]["config"] = {"x": "{{" + " " * 300_000, "y": "{{" * 100_000, "z": "{{}}"}

    assert compile_definition(definition, ALLOWED).plan.steps["a"].config_template is None


async def test_the_branches_of_a_condition_step_may_be_lists_and_end_markers() -> None:
    definition = written("check", "b", "c")
    definition["steps"][0] = {
        "id": "check",
        "type": "condition",
        "condition": asks("n", ">", 3),
        "then": ["b", "c"],
        "else": "end_with_success",
    }
    definition["flow"]["paths"] = []
    pipeline = create_pipeline_from_json(definition, allowlist=ALLOWED)

    large, small = await pipeline.run({"n": 5}), await pipeline.run({"n": 1})

    assert [step["step_name"] for step in large["steps"]] == ["check", "b", "c"]
    assert [step["step_name"] for step in small["steps"]] == ["check"]


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [([], 64, "Usage"), (["nowhere.json"], 1, "can't be read"),
     (["examples/seattle_weather/pipeline.json"], 0, "$.parameters: there, defaults")],
)  # fmt: skip
def test_compat_is_a_command(
    arguments: list[str], code: int, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert compat_main(arguments) == code
    assert told in "".join(capsys.readouterr())


def test_the_same_problem_of_many_steps_is_said_once() -> None:
    definition = written("a", "b", "c")
    for step in definition["steps"]:
        step["module"] = "somewhere.else"

    with pytest.raises(DefinitionRefused) as refused:
        compile_definition(definition, Allowlist(["tests.*"]))

    assert str(refused.value).count("is not on the allowlist") == 1
    assert "$.steps[0].module, $.steps[1].module and $.steps[2].module: " in str(refused.value)
    assert "restart the executor" in str(refused.value)
    assert len(refused.value.problems) == 3


def test_a_refusal_has_a_line_for_each_problem_and_ends_somewhere() -> None:
    one = DefinitionRefused([Problem("$.name", "This is missing.")])
    several = DefinitionRefused([Problem(f"$.steps[{n}]", f"No {n}.") for n in range(300)])
    wide = DefinitionRefused([Problem(f"$.steps[{n}]", "No." + "x" * 999) for n in range(300)])

    assert str(one) == "The definition is refused. $.name: This is missing."
    assert str(several).splitlines()[:2] == [
        "The definition is refused. It has 300 problems:", "  $.steps[0]: No 0.",
    ]  # fmt: skip
    assert str(several).splitlines()[-1] == "  and 290 more; `steplog check FILE` shows all."
    assert "$.steps[0], $.steps[1], $.steps[2] and 297 more: No." in str(wide)
    assert len(str(wide)) < 500


@pytest.mark.parametrize(
    ("definition", "place", "said"),
    [
        ({}, "$.name", "This is missing."),
        (written("a") | {"steps": {}}, "$.steps", "This must be a list."),
        (written("a") | {"flow": []}, "$.flow", "This must be a JSON object."),
        (written("a") | {"steps": [{"id": 1, **STEP}]}, "$.steps[0].id", "This must be text."),
    ],
)
def test_a_misfit_is_said_in_the_words_of_json(definition: Any, place: str, said: str) -> None:
    assert problems(definition)[place] == said


def test_a_pipeline_in_ones_own_code_warns_of_what_is_odd(
    caplog: pytest.LogCaptureFixture,
) -> None:
    definition = written("a")
    definition["steps"].append({"id": "lonely", **STEP})

    Pipeline("mine", [], definition["flow"], blueprint=compile_definition(definition, ALLOWED))

    assert "Pipeline mine" in caplog.text
    assert "it is always skipped" in caplog.text
