"""What the help says, and what is not loaded to say it."""

import json
import subprocess
import sys

import pytest

from steplog.cli.lazy import entries, loaded
from tests.steplog.cli.command_line import ROOT, clean_environment, steplog

NAMES = [name for _, name, _ in entries()]
# Each takes longer to load than a person notices.
HEAVY = ("faust", "aiokafka", "pyarrow", "fastapi", "executor_service", "asyncpg", "psutil")
TELL_LOADED = """
import json, sys
from steplog.cli.main import _exit_code
_exit_code()
json.dump(sorted({name.split(".")[0] for name in sys.modules}), sys.stderr)
"""


@pytest.mark.parametrize("name", NAMES)
def test_a_command_is_listed_with_the_first_sentence_of_its_help(name: str) -> None:
    summary = next(entry.summary for _, other, entry in entries() if other == name)
    told = loaded(name).help.replace("\\[", "[").split("\n\n")[0]

    assert " ".join(told.split()) == summary


def test_commands_are_listed_in_groups() -> None:
    ended = steplog("--help")

    assert ended.exit_code == 0
    for panel, name, _ in entries():
        assert f"─ {panel} ─" in ended.out
        assert f"│ {name} " in ended.out


@pytest.mark.parametrize("arguments", [("--help",), ("ls",), ("show", "e-1"), ("lag", "--help")])
def test_what_is_heavy_is_not_loaded_for_a_look(arguments: tuple[str, ...]) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", TELL_LOADED, *arguments],
        env=clean_environment() | {"STEPLOG_API_URL": "http://127.0.0.1:1"},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    modules = json.loads(ended.stderr.splitlines()[-1])

    assert "steplog" in modules
    assert not set(HEAVY) & set(modules)


def test_a_word_mistyped_is_answered_with_the_right_one() -> None:
    ended = steplog("sohw")

    assert ended.exit_code == 64
    assert "Did you mean 'show'?" in ended.err
