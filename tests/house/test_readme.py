"""What the pages tell people to type exists, and does what it should."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from steplog.cli.main import app
from tests.house.readme import TypedCommand, make_targets, typed_commands
from tests.house.rules import ROOT
from tests.steplog.cli.command_line import clean_environment, steplog

COMMANDS = typed_commands()
DEMO_TIMEOUT_S = 240.0
# Programs that pages may name beside our own.
OTHER_PROGRAMS = frozenset({"docker", "git", "pip", ".", "export", "cd", "kubectl", "curl"})


def _id(command: TypedCommand) -> str:
    return f"{command.page}: {command.line}"


def test_the_readme_has_its_two_commands_first() -> None:
    assert [command.line for command in COMMANDS[:2]] == ["make demo", "make test"]


@pytest.mark.parametrize("command", COMMANDS, ids=_id)
def test_a_command_on_a_page_exists(command: TypedCommand) -> None:
    program, *arguments = command.words
    match program:
        case "make":
            assert {word for word in arguments if "=" not in word} <= make_targets()
        case "steplog":
            _parse(arguments)
        case "python":
            module = arguments[1].replace(".", "/")
            found = [ROOT / f"{module}.py", ROOT / module / "__main__.py"]
            assert arguments[0] == "-m"
            assert any(path.is_file() for path in found)
        case _:
            assert program in OTHER_PROGRAMS


def _parse(arguments: list[str]) -> None:
    """Parse as the command line does; a wrong word raises its usage error."""
    command = typer.main.get_command(app)
    with command.make_context("steplog", list(arguments)) as context:
        name, found, rest = command.resolve_command(context, context._protected_args)  # type: ignore[attr-defined]
        assert found is not None, name
        found.make_context(name, [*rest, *context.args], parent=context).close()


@pytest.mark.e2e
def test_the_readmes_steplog_commands_work_one_after_the_other(tmp_path: Path) -> None:
    """In the order of the page, but for `down`, which ends the stack the others need."""
    lines = [command.words[1:] for command in COMMANDS if command.page == "README.md"]
    typed = [words for words in lines if words and words[0] in KNOWN]
    ordered = [words for words in typed if words != ["down"]] + [["down"]]
    env = {
        "STEPLOG_DATA_DIR": str(tmp_path),
        "STEPLOG_STEP_MODULES": "examples.*",
        "MPLBACKEND": "Agg",
    }
    execution_id = "readme-1"

    for words in ordered:
        filled = [execution_id if word == "ID" else word for word in words]
        filled += {"up": ["--detach"], "run": ["--id", execution_id]}.get(words[0], [])
        ended = steplog(*filled, env=env)

        assert ended.exit_code == 0, (filled, ended)


@pytest.mark.e2e
def test_the_demo_runs_the_example_and_stops_what_it_started(tmp_path: Path) -> None:
    command = Path(sys.executable).with_name("steplog")

    done = subprocess.run(
        ["sh", "examples/seattle_weather/demo.sh", command, tmp_path],
        cwd=ROOT,
        env=clean_environment() | {"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        timeout=DEMO_TIMEOUT_S,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert "fill_gaps" in done.stdout
    assert done.stdout.rstrip().endswith("Stopped; nothing is left running.")


KNOWN = frozenset({"up", "down", "status", "check", "run", "ls", "show", "lag", "topics"})
