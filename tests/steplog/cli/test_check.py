"""`steplog check`: what a person is told about a definition."""

import json
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from steplog.cli.commands.check import check

ECHO = {"module": "tests.executor.example_steps", "step_class": "Echo"}
GOOD = {
    "name": "p",
    "steps": [{"id": "a", "name": "First", **ECHO}, {"id": "b", **ECHO}, {"id": "c", **ECHO}],
    "flow": {
        "start_at": "a",
        "paths": [
            {"from": "a", "to": "b", "condition": {"type": "field_greater_than", "field": "n",
                                                   "value": 3}},
            {"from": "a", "to": "c"},
            {"from": "c", "to": "end_with_failure"},
        ],
    },
}  # fmt: skip


@pytest.fixture
def told(tmp_path: Path) -> Any:
    """Return a function that checks a definition and returns exit code and text."""
    app = typer.Typer()
    app.command()(check)

    def run(definition: Any, *arguments: str) -> tuple[int, str]:
        file = tmp_path / "flow.json"
        file.write_text(json.dumps(definition))
        result = CliRunner().invoke(app, [str(file), *arguments])
        return result.exit_code, result.output

    return run


def test_a_definition_in_order_is_said_to_be(told: Any) -> None:
    code, text = told(GOOD)

    assert code == 0
    assert "is fine: 3 steps, 3 paths" in text


def test_everything_wrong_is_listed_with_place_and_hint(told: Any) -> None:
    bad = {**GOOD, "flow": {"start_at": "z", "paths": [{"from": "a", "to": "y"}]}}

    code, text = told(bad)

    assert code == 1
    assert "error $.flow.start_at: There is no step 'z' to start at." in text
    assert "$.flow.paths[0].to_step" in text
    assert "steps are: a, b, c" in text
    assert "would be refused" in text


def test_a_module_off_the_list_is_an_error(told: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STEPLOG_STEP_MODULES", "other.*")

    code, text = told(GOOD)

    assert code == 1
    assert "not on the allowlist" in text


def test_the_flow_is_drawn_for_terminal_and_documents(told: Any) -> None:
    code, text = told(GOOD, "--graph")

    assert code == 0
    assert "├─▶ b   if n > 3" in text
    assert "└─▶ end_with_failure" in text
    assert 's0 -- "n > 3" --> s1' in text
    assert 's0["First"]' in text


def test_programs_get_json(told: Any) -> None:
    code, text = told(GOOD, "--json", "--graph", "--compat")

    answer = json.loads(text)
    assert code == 0
    assert answer["valid"] is True
    assert answer["graph"]["mermaid"].startswith("flowchart TD")
    assert any("fails the execution" in difference["here"] for difference in answer["differences"])


@pytest.mark.parametrize(
    ("place", "change"),
    [
        ("$.steps[0].error_handling.timout_seconds", {"error_handling": {"timout_seconds": 1}}),
        (
            "$.steps[0].error_handling.retry.tries",
            {"error_handling": {"retry": {"tries": 1}}},
        ),
        (
            "$.steps[0].config.error_handling.ab",
            {"config": {"error_handling": {"ab": 1}}},
        ),
        ("$.steps[0].inputs[0].requierd", {"inputs": [{"name": "a", "requierd": True}]}),
        ("$.steps[0].scheduel", {"scheduel": "daily"}),
    ],
)
def test_a_key_that_means_nothing_is_named_at_every_level(
    told: Any, place: str, change: dict[str, Any]
) -> None:
    first, *others = GOOD["steps"]  # type: ignore[misc]

    code, text = told({**GOOD, "steps": [{**first, **change}, *others]})

    assert code == 1
    assert f"error {place}: There is no key" in text
    assert "would be refused" in text


def test_a_misspelt_key_is_told_which_one_is_meant(told: Any) -> None:
    _, text = told({**GOOD, "loop_config": {"max_iteration": 3}})

    assert "did you mean 'max_iterations'?" in text


def test_keys_of_ones_own_are_let_be(told: Any) -> None:
    first, *others = GOOD["steps"]  # type: ignore[misc]
    own = {**first, "x-owner": "ann", "metadata": {"team": "a"}}

    code, text = told({**GOOD, "x-source": "git", "steps": [own, *others]})

    assert code == 0
    assert "warning" not in text


def test_an_unknown_step_type_is_refused_with_the_one_that_is_meant(told: Any) -> None:
    first, *others = GOOD["steps"]  # type: ignore[misc]

    code, text = told({**GOOD, "steps": [{**first, "type": "conditon"}, *others]})

    assert code == 1
    assert "error $.steps[0].type: There is no step type 'conditon'." in text
    assert "did you mean 'condition'?" in text
