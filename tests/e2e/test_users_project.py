"""A project of a user's own, whose packages have the names that our folders have."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

OWN_PACKAGES = ("contracts", "examples", "tests", "utils")
STEPS = """
from steplog import Step

from contracts.signing import SIGNED
from utils.texts import upper


class Sign(Step):
    async def run(self, data):
        return {"text": upper(data["text"]) + SIGNED}
"""
DEFINITION = """{
  "name": "signing",
  "steps": [{"id": "sign", "module": "examples.signing_steps", "step_class": "Sign"}],
  "flow": {"start_at": "sign", "paths": []}
}
"""
PROGRAM = """
import asyncio

from contracts.signing import SIGNED
from steplog import Embedded


async def main():
    async with Embedded.open("app.db", step_modules=["examples.*"]) as steplog:
        submitted = await steplog.run("signing.json", {"text": "a"})
        execution = await steplog.result(submitted)
        print(execution.output_data["text"])


asyncio.run(main())
"""
TEST = """
from contracts.signing import SIGNED


def test_signing(steplog_run):
    ran = steplog_run("signing.json", {"text": "b"})

    ran.assert_completed()
    assert ran.output["text"] == "B" + SIGNED
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Write the project and return its folder."""
    for name in OWN_PACKAGES:
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").touch()
    (tmp_path / "contracts/signing.py").write_text('SIGNED = " signed"\n')
    (tmp_path / "utils/texts.py").write_text("def upper(text):\n    return text.upper()\n")
    (tmp_path / "examples/signing_steps.py").write_text(STEPS)
    (tmp_path / "signing.json").write_text(DEFINITION)
    (tmp_path / "app.py").write_text(PROGRAM)
    (tmp_path / "tests/test_signing.py").write_text(TEST)
    return tmp_path


def run(project: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    """Run a program in the project's folder, with nothing of this repository on its path."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if name != "PYTHONPATH" and not name.startswith(("STEPLOG_", "PYTEST_"))
    }
    return subprocess.run(
        [sys.executable, *words],
        cwd=project,
        env=kept,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("app.py",), "A signed"),
        (
            ("-m", "steplog.cli.main", "run", "signing.json", "--embedded", "--wait",
             "--input", '{"text": "c"}', "--json"),
            "C signed",
        ),
        (("-m", "steplog.cli.main", "check", "signing.json"), "fine"),
        (("-m", "pytest", "-q", "-p", "no:cacheprovider"), "1 passed"),
    ],
    ids=["program", "run", "check", "pytest"],
)  # fmt: skip
@pytest.mark.e2e
def test_a_project_keeps_the_names_of_its_packages(
    project: Path, words: tuple[str, ...], expected: str
) -> None:
    done = run(project, *words)

    assert done.returncode == 0, done.stderr + done.stdout
    assert expected in done.stdout


@pytest.mark.e2e
def test_everything_a_program_needs_comes_from_one_package(project: Path) -> None:
    names = "Step, Pipeline, Steplog, Embedded, ServiceRegistry, ExecutionTracker, TerminalError"

    done = run(project, "-c", f"from steplog import {names}; print(Step.__name__, Embedded)")

    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("Step ")


@pytest.mark.e2e
def test_a_name_that_is_not_there_is_an_ordinary_import_error(project: Path) -> None:
    done = run(project, "-c", "from steplog import Steps")

    assert "cannot import name 'Steps' from 'steplog'" in done.stderr
