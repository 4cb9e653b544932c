"""`steplog run --wait` at a question, and at a failure: what to do next is on the screen."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.steplog.cli.command_line import ROOT, clean_environment, steplog

ASKING = "examples/article_approval/pipeline.json"
FAILING = """{
  "name": "failing",
  "steps": [{"id": "read", "module": "failing_steps", "step_class": "Read"}],
  "flow": {"start_at": "read", "paths": []}
}
"""
STEP = """
from steplog import Step


class Read(Step):
    async def run(self, data):
        return {"rows": data["name"]}
"""


def embedded(folder: Path) -> dict[str, str]:
    return {"STEPLOG_DATA_DIR": str(folder), "STEPLOG_STEP_MODULES": ""}


@pytest.mark.e2e
def test_a_question_is_shown_with_the_command_that_answers_it(tmp_path: Path) -> None:
    waiting = subprocess.Popen(
        [sys.executable, "-m", "steplog.cli.main", "run", ASKING, "--embedded", "--wait",
         "--id", "asks", "--input", '{"topic": "a"}'],
        env=clean_environment() | {"STEPLOG_DATA_DIR": str(tmp_path)}, cwd=ROOT,
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert waiting.stderr is not None
    lines = [waiting.stderr.readline() for _ in range(2)]
    waiting.send_signal(signal.SIGINT)
    rest = waiting.communicate(timeout=60)[1]
    file = tmp_path / "steplog.db"

    answered = steplog(
        "resume", "asks", "--embedded", "--data", str(file), "--step", "ask",
        "--input", '{"verdict": "publish"}',
    )  # fmt: skip

    assert lines[0].startswith("Step ask waits for an answer: ")
    assert lines[1].strip() == (
        "Press Ctrl-C here, then answer it: steplog resume asks --step ask --input JSON --embedded"
    )
    assert "Stopped waiting." in rest
    assert answered.exit_code == 0, answered.err
    assert f"steplog watch asks --embedded --data {file}" in answered.out


@pytest.mark.e2e
def test_a_failure_names_step_kind_place_and_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "failing.json").write_text(FAILING)
    (tmp_path / "failing_steps.py").write_text(STEP)
    env = {"STEPLOG_DATA_DIR": str(tmp_path)}

    ran = steplog("run", "failing.json", "--embedded", "--wait", "--id", "f", env=env, cwd=tmp_path)
    shown = steplog("show", "f", "--embedded", env=env, cwd=tmp_path)
    traceback = steplog("show", "f", "--embedded", "--traceback", env=env, cwd=tmp_path)

    failure = "read: KeyError: 'name' (failing_steps.py, line 7)"
    assert ran.exit_code == 2
    assert ran.err.strip().splitlines()[-1] == (
        f"Error: Execution f failed: {failure}. To continue it from there: "
        "steplog retry f --embedded"
    )
    assert failure in shown.out
    assert "steplog show f --traceback --embedded" in shown.out
    assert "failing_steps.py" in traceback.out
    assert 'data["name"]' in traceback.out
