"""The command line on a real terminal: colour, pictures drawn over themselves, Ctrl-C."""

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pexpect
import pytest

from tests.steplog.cli.command_line import ROOT, clean_environment
from tests.steplog.cli.example_executions import Looked, looked_at
from tests.steplog.cli.plain_steps import chain

pytestmark = pytest.mark.e2e
PATIENCE_S = 60
COLOUR = "\x1b[3"
_CONTROLS = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


@pytest.fixture(scope="module")
def looked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Looked]:
    """Return a server with executions of every kind."""
    with looked_at(tmp_path_factory.mktemp("terminal")) as looked:
        yield looked


def typed(looked: Looked, *arguments: str, **environment: str) -> "pexpect.spawn[str]":
    """Type a command into a terminal of 100 columns."""
    return pexpect.spawn(
        str(Path(sys.executable).with_name("steplog")),
        list(arguments),
        env=clean_environment() | looked.env | {"TERM": "xterm-256color"} | environment,
        cwd=str(ROOT),
        encoding="utf-8",
        dimensions=(40, 100),
        timeout=PATIENCE_S,
    )


def ended(terminal: "pexpect.spawn[str]") -> tuple[int | None, str]:
    """Return the exit code and everything that was shown."""
    terminal.expect(pexpect.EOF)
    terminal.close()
    return terminal.exitstatus, str(terminal.before)


def test_a_terminal_has_colour_unless_the_reader_wants_none(looked: Looked) -> None:
    _, coloured = ended(typed(looked, "ls"))
    _, plain = ended(typed(looked, "ls", NO_COLOR="1"))

    assert COLOUR in coloured
    assert COLOUR not in plain
    assert "good-1" in plain


def test_a_watched_execution_is_drawn_until_an_answer_ends_it(looked: Looked) -> None:
    looked.begin("asks-2", "Ask", "Greet", input={"name": "Ada"})
    terminal = typed(looked, "watch", "asks-2")
    terminal.expect("waiting for human")
    # The time goes on though nothing happens.
    terminal.expect(r"[1-9]\d*\.\d\d s")
    looked.api.post("/api/executions/asks-2/resume", json={"human_input": {"verdict": "yes"}})
    code, shown = ended(terminal)

    last = _CONTROLS.sub("", shown).splitlines()[-3:]
    assert code == 0
    assert [line.split()[1:4:2] for line in last[1:]] == [["✓", "completed"], ["✓", "completed"]]


def test_ctrl_c_leaves_a_watch_and_the_execution_alone(looked: Looked) -> None:
    terminal = typed(looked, "watch", "asks-1")
    terminal.expect("waiting for human")
    terminal.sendintr()
    code, shown = ended(terminal)

    assert code == 130
    assert "Traceback" not in shown
    assert looked.stands("asks-1", "waiting_for_human")


def test_ctrl_c_leaves_the_fleet_and_gives_the_screen_back(looked: Looked) -> None:
    terminal = typed(looked, "top", "--every", "0.2")
    terminal.expect("events behind")
    terminal.expect("events/s")
    terminal.sendintr()
    code, shown = ended(terminal)

    assert code == 130
    assert "\x1b[?1049l" in shown
    assert "Traceback" not in shown


def test_the_flow_is_drawn_in_colours(looked: Looked) -> None:
    code, shown = ended(typed(looked, "show", "bad-1", "--graph"))

    assert code == 0
    assert "\x1b[32m✓" in shown
    assert "\x1b[31m✗" in shown


def test_a_run_that_is_waited_for_says_so_and_then_what_came_of_it(
    looked: Looked, tmp_path: Path
) -> None:
    file = tmp_path / "wait.json"
    file.write_text(json.dumps(chain("Greet")))
    terminal = typed(
        looked, "run", str(file), "--input", '{"name": "Ada"}', "--id", "r-1", "--wait",
        "--data", str(tmp_path / "own.db"),
    )  # fmt: skip
    terminal.expect("Waiting for r-1")
    code, shown = ended(terminal)

    assert code == 0
    assert "Hello, Ada" in shown
