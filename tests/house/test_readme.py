"""What the pages tell people to type exists, and does what it should."""

import ast
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.house.readme import (
    Block,
    TypedCommand,
    blocks,
    is_command,
    lost_links,
    lost_paths,
    make_targets,
    name_of,
    pages,
    parse_steplog,
    quoted_commands,
    typed_commands,
)
from tests.house.rules import PACKAGE_ROOTS, ROOT
from tests.steplog.cli.command_line import clean_environment

COMMANDS = typed_commands()
DEMO_TIMEOUT_S = 240.0
COMMAND_TIMEOUT_S = 180.0
# Programs that pages may name beside our own.
OTHER_PROGRAMS = frozenset({"docker", "git", "pip", ".", "export", "cd", "kubectl", "curl", "psql"})
FILE_ENDINGS = (".json", ".yaml", ".sql", ".sh", ".py")


def _id(found: Block | TypedCommand) -> str:
    return f"{found.page}: {found.line if isinstance(found, TypedCommand) else found.text[:30]}"


def test_the_readme_has_its_two_commands_first() -> None:
    assert [command.line for command in COMMANDS[:2]] == ["make demo", "make test"]


@pytest.mark.parametrize("command", COMMANDS, ids=_id)
def test_a_command_on_a_page_exists(command: TypedCommand) -> None:
    program, *arguments = command.words
    match program:
        case "make":
            assert {word for word in arguments if "=" not in word} <= make_targets()
        case "steplog":
            parse_steplog(arguments)
        case "python":
            module = arguments[1].replace(".", "/")
            names = (f"{module}.py", f"{module}/__main__.py")
            found = [root / name for root in PACKAGE_ROOTS for name in names]
            assert arguments[0] == "-m"
            assert any(path.is_file() for path in found)
        case ".venv/bin/pytest":
            assert all((ROOT / word).exists() for word in arguments if "/" in word)
        case _:
            assert program in OTHER_PROGRAMS


@pytest.mark.parametrize("command", COMMANDS, ids=_id)
def test_a_file_named_in_a_command_exists(command: TypedCommand) -> None:
    named = [word for word in command.words if "/" in word and word.endswith(FILE_ENDINGS)]

    assert [path for path in named if not (ROOT / path).is_file()] == []


@pytest.mark.parametrize("page", pages(), ids=name_of)
def test_a_command_named_in_a_sentence_exists(page: Path) -> None:
    assert [names for names in quoted_commands(page) if not is_command(names)] == []


@pytest.mark.parametrize("page", pages(), ids=name_of)
def test_links_and_paths_lead_somewhere(page: Path) -> None:
    assert lost_links(page) == []
    assert lost_paths(page) == []


@pytest.mark.parametrize("block", blocks("json"), ids=_id)
def test_json_on_a_page_can_be_read(block: Block) -> None:
    """A part of a larger object stands without the braces around it."""
    text = block.text if block.text.lstrip().startswith(("{", "[")) else f"{{{block.text}}}"

    assert json.loads(text)


@pytest.mark.parametrize("block", blocks("python", "py"), ids=_id)
def test_python_on_a_page_compiles(block: Block) -> None:
    assert compile(block.text, block.page, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)


@pytest.mark.parametrize("names", [["nonsense"], ["topics", "nonsense"]])
def test_a_command_that_is_not_there_is_found_out(names: list[str]) -> None:
    with pytest.raises(Exception, match="No such command"):
        parse_steplog(names)

    assert not is_command(names)


@pytest.fixture
def shell(tmp_path: Path) -> Iterator["Shell"]:
    """Return a shell with the data in a folder of its own; it stops the stack at the end."""
    shell = Shell(tmp_path)
    try:
        yield shell
    finally:
        shell.run("down")


class Shell:
    """Runs the installed `steplog` where a reader of the README would."""

    def __init__(self, data: Path) -> None:
        self.folder = data.parent
        self._environment = clean_environment() | {
            "STEPLOG_DATA_DIR": str(data),
            "STEPLOG_STEP_MODULES": "examples.*",
            "MPLBACKEND": "Agg",
        }

    def run(self, *words: str) -> "subprocess.CompletedProcess[str]":
        """Run one command."""
        return subprocess.run(
            [Path(sys.executable).with_name("steplog"), *words],
            env=self._environment,
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=COMMAND_TIMEOUT_S,
            check=False,
        )


# A file that a command writes; beside the stack's data, not into the sources.
ARCHIVE = "history.jsonl"
# Which execution `ID` stands for, where it is not the one that the page runs.
MEANT = {"resume": "readme-asks-1", "cancel": "readme-asks-2", "retry": "readme-asks-2"}


def ask_a_person(shell: Shell) -> None:
    """Run what waits for an answer, for the commands that act on it."""
    for execution_id in sorted({*MEANT.values()}):
        ended = shell.run("run", "examples/article_approval/pipeline.json", "--id", execution_id,
                          "--input", '{"topic": "a"}')  # fmt: skip
        assert ended.returncode == 0, ended.stderr


@pytest.mark.e2e
def test_the_readmes_steplog_commands_work_one_after_the_other(shell: Shell) -> None:
    """In the order of the page, but for `down`, which ends the stack the others need."""
    own = [command.words[1:] for command in COMMANDS if command.page == "README.md"]
    typed = [words for words in own if words and is_command(words[:1])]
    ordered = [words for words in typed if words != ["down"]] + [["down"], ["status"]]
    codes = []

    for words in ordered:
        execution_id = MEANT.get(words[0], "readme-1")
        meant = {"ID": execution_id, ARCHIVE: str(shell.folder / ARCHIVE)}
        filled = [meant.get(word, word) for word in words]
        filled += {"up": ["--detach"], "run": ["--id", execution_id]}.get(words[0], [])
        ended = shell.run(*filled)
        codes.append((words[0], ended.returncode, ended.stderr))
        if words[0] == "up":
            ask_a_person(shell)

    # After `down` nothing runs, and `status` says so with 1.
    assert [code for code in codes[:-1] if code[1:] != (0, "")] == []
    assert codes[-1][1] == 1
    assert {"up", "status", "run", "ls", "show", "down"} <= {name for name, *_ in codes}


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
