"""What the help says, and what is not loaded to say it."""

import json
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from steplog.cli.lazy import EXAMPLE, entries, loaded
from tests.house.readme import parse_steplog
from tests.steplog.cli.command_line import ROOT, clean_environment, steplog

COMMANDS = [
    (f"{name} {sub}".strip(), command)
    for _, name, _ in entries()
    for sub, command in (getattr(loaded(name), "commands", None) or {"": loaded(name)}).items()
]
NAMES = [name for _, name, _ in entries()]
# Each takes longer to load than a person notices.
HEAVY = ("faust", "aiokafka", "pyarrow", "fastapi", "executor_service", "asyncpg", "psutil")
TELL_LOADED = """
import json, sys
from steplog.cli.main import _exit_code
_exit_code()
json.dump(sorted({name.split(".")[0] for name in sys.modules}), sys.stderr)
"""


def complete(asked: dict[str, str]) -> str:
    """Return what a shell is offered, asking as its completion does."""
    return subprocess.run(
        [Path(sys.executable).with_name("steplog")],
        env=clean_environment() | asked,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout


@pytest.mark.parametrize("name", NAMES)
def test_a_command_is_listed_with_the_first_sentence_of_its_help(name: str) -> None:
    summary = next(entry.summary for _, other, entry in entries() if other == name)
    told = loaded(name).help.replace("\\[", "[").split("\n\n")[0]

    assert " ".join(told.split()) == summary


@pytest.mark.parametrize(("name", "command"), COMMANDS, ids=[name for name, _ in COMMANDS])
def test_the_help_of_a_command_ends_with_examples_that_can_be_typed(
    name: str, command: Any
) -> None:
    title, *examples = command.epilog.splitlines()
    typed = [shlex.split(example.replace("\\[", "[").removeprefix(EXAMPLE)) for example in examples]

    assert title == ("[bold]Example[/]" if len(typed) == 1 else "[bold]Examples[/]")
    for words in typed:
        assert words[: 1 + len(name.split())] == ["steplog", *name.split()]
        parse_steplog(words[1:])


@pytest.mark.parametrize(("name", "command"), COMMANDS, ids=[name for name, _ in COMMANDS])
def test_every_option_and_command_says_what_it_is(name: str, command: Any) -> None:
    silent = [one.name for one in command.params if not getattr(one, "help", None)]

    assert command.help
    assert silent == []


def test_the_shell_is_taught_to_complete_commands() -> None:
    script = complete({"_STEPLOG_COMPLETE": "source_bash"})
    asked = {"_STEPLOG_COMPLETE": "complete_bash", "COMP_WORDS": "steplog re", "COMP_CWORD": "1"}
    of_option = asked | {"COMP_WORDS": "steplog ls --status canc", "COMP_CWORD": "3"}

    assert "complete -o default -F" in script
    assert complete(asked).split() == ["resume", "retry", "replay-definition", "rebuild"]
    assert complete(of_option).split() == ["cancelled"]


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


def test_a_variable_that_is_no_setting_is_named() -> None:
    done = steplog("--version", env={"STEPLOG_STEP_MODULE": "x", "STEPLOG_X_CITY": "Oslo"})

    assert done.exit_code == 0
    assert done.err == (
        "Warning: There is no setting STEPLOG_STEP_MODULE, so it changes nothing; "
        "did you mean STEPLOG_STEP_MODULES?\n"
    )
