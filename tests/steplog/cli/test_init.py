"""`steplog init`: a project that can be checked and whose tests pass."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.steplog.cli.command_line import clean_environment, is_one_sentence, steplog


def test_the_project_is_fine_and_its_tests_pass(tmp_path: Path) -> None:
    made = steplog("init", "cold_days", cwd=tmp_path)
    project = tmp_path / "cold_days"

    assert made.exit_code == 0
    assert "steplog run cold_days.flow:flow --embedded --wait" in made.out
    checked = steplog("check", "cold_days.flow:flow", cwd=project)
    assert "is fine: 3 steps, 2 paths" in checked.out
    tests = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"],
        cwd=project, env=clean_environment(), capture_output=True, text=True, timeout=120,
        check=False,
    )  # fmt: skip
    assert "2 passed" in tests.stdout, tests.stdout + tests.stderr


@pytest.mark.parametrize("name", ["My-Flow", "class", "2nd", "../up", ""])
def test_a_name_that_is_no_package_is_refused(name: str, tmp_path: Path) -> None:
    refused = steplog("init", name, cwd=tmp_path)

    assert is_one_sentence(refused)
    assert "can be no Python package" in refused.err
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_there_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()

    assert "is there already" in steplog("init", "mine", cwd=tmp_path).err
    assert list((tmp_path / "mine").iterdir()) == []
