"""`steplog resume`: an answer is asked for, held to its form, and never made up."""

import json
import sys
from pathlib import Path
from typing import Any

import pexpect
import pytest

from tests.steplog.cli.command_line import ROOT, clean_environment, is_one_sentence, steplog
from tests.steplog.cli.plain_steps import asking

pytestmark = pytest.mark.e2e
FORM = {
    "properties": {
        "verdict": {"enum": ["publish", "rework"]},
        "urgent": {"type": "boolean"},
        "copies": {"type": "integer", "minimum": 1},
    },
    "required": ["verdict", "urgent"],
}


@pytest.fixture
def place(tmp_path: Path) -> str:
    """Return the option for a file whose execution `e-1` waits for a verdict."""
    definition = tmp_path / "asking.json"
    definition.write_text(json.dumps(asking(ui_schema=FORM, prompt="Print it?")))
    option = f"--data={tmp_path / 'steplog.db'}"
    env = {"STEPLOG_STEP_MODULES": "tests.steplog.cli.plain_steps"}
    assert steplog("run", str(definition), "--id=e-1", option, env=env).exit_code == 0
    assert steplog("cancel", "nobody", option, env=env).exit_code == 1  # Runs what is in the file.
    return option


def execution(place: str) -> Any:
    """Return the execution as it stands."""
    return json.loads(steplog("show", "e-1", place, "--json").out)["execution"]


def test_without_an_answer_nothing_is_sent(place: str) -> None:
    ended = steplog("resume", "e-1", place)

    assert is_one_sentence(ended)
    assert "--input" in ended.err
    assert "verdict (publish or rework)" in ended.err
    assert execution(place)["status"] == "waiting_for_human"


@pytest.mark.parametrize("given", ["{}", '{"verdict": "maybe", "urgent": true}', "7"])
def test_an_answer_that_does_not_fit_is_refused_with_the_field(place: str, given: str) -> None:
    ended = steplog("resume", "e-1", place, "--input", given)

    assert is_one_sentence(ended)
    assert "does not fit what step 'ask' asks" in ended.err
    assert execution(place)["status"] == "waiting_for_human"


def test_a_person_at_a_terminal_is_asked_field_by_field(place: str) -> None:
    terminal: pexpect.spawn[str] = pexpect.spawn(
        sys.executable, ["-m", "steplog.cli.main", "resume", "e-1", place], cwd=str(ROOT),
        env=clean_environment() | {"STEPLOG_STEP_MODULES": "tests.steplog.cli.plain_steps"},
        encoding="utf-8", timeout=60,
    )  # fmt: skip
    for expected, typed in (
        ("Print it", None), ("Verdict, publish or rework", "maybe"), ("This takes", None),
        ("Verdict", "publish"), ("Urgent, yes or no", "y"), ("Copies, a number. 1 or more", ""),
    ):  # fmt: skip
        terminal.expect(expected)
        if typed is not None:
            terminal.sendline(typed)
    terminal.expect(pexpect.EOF)

    output = execution(place)["output_data"]
    assert (output["verdict"], output["urgent"], "copies" in output) == ("publish", True, False)


def test_a_closed_prompt_is_one_sentence(tmp_path: Path) -> None:
    ended = steplog("dead-letters", "skip", "1", f"--data={tmp_path / 'none.db'}")

    assert ended.exit_code == 1
    assert ended.err.strip().splitlines()[-1].startswith("Error: Nothing was done")
