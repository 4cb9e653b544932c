"""Embedded mode from the command line: one file, no server, and one sentence for what is wrong."""

import json
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from steplog.local.ports import free_ports
from tests.steplog.cli.command_line import ROOT, Ended, clean_environment, is_one_sentence, steplog
from tests.steplog.cli.plain_steps import definition

READY_TIMEOUT_S = 60
MODULES = {"STEPLOG_STEP_MODULES": "tests.steplog.cli.plain_steps"}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Return a place for the file."""
    return tmp_path / "steplog.db"


def definition_file(folder: Path, step_class: str) -> str:
    """Return the path of a definition of one step."""
    path = folder / f"{step_class.lower()}.json"
    path.write_text(json.dumps(definition(step_class)))
    return str(path)


def run(file: Path, step_class: str, *arguments: str) -> Ended:
    """Run a definition of one step on the file."""
    definition = definition_file(file.parent, step_class)
    return steplog("run", definition, f"--data={file}", "-i", '{"name": "Ada"}', *arguments)


@pytest.fixture
def server(file: Path) -> Iterator["subprocess.Popen[str]"]:
    """Return a running `steplog up --data FILE`."""
    process = up(file)
    yield process
    process.terminate()
    process.communicate(timeout=READY_TIMEOUT_S)


def up(file: Path) -> "subprocess.Popen[str]":
    """Start a server on the file; return once it says that it runs."""
    process = subprocess.Popen(
        [sys.executable, "-m", "steplog.cli.main", "up", f"--data={file}",
         f"--api-port={free_ports(1)[0]}"],
        env=clean_environment() | MODULES, cwd=ROOT, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    assert "steplog runs on" in process.stdout.readline()
    return process


def test_a_pipeline_runs_without_any_server_and_is_there_afterwards(file: Path) -> None:
    ended = run(file, "Greet", "--wait", "--id", "e-1")
    shown = json.loads(steplog("show", "e-1", f"--data={file}", "--json").out)
    listed = json.loads(steplog("ls", f"--data={file}", "--json").out)

    assert ended.exit_code == 0, ended.err
    assert "Hello, Ada" in ended.out
    assert shown["execution"]["output_data"]["greeting"] == "Hello, Ada"
    assert [item["execution_id"] for item in listed["items"]] == ["e-1"]
    assert listed["freshness"]["gap"] == 0


def test_an_execution_that_failed_ends_the_command_with_2(file: Path) -> None:
    ended = run(file, "Fail", "--wait")

    assert ended.exit_code == 2
    assert "the oven is cold" in ended.err


def test_what_is_only_asked_for_waits_in_the_file_for_the_next_process(file: Path) -> None:
    asked = run(file, "Greet", "--id", "e-1")
    assert asked.exit_code == 0, asked.err
    missing = steplog("show", "e-1", f"--data={file}")

    run(file, "Greet", "--wait", "--id", "e-2")

    assert "no execution e-1" in missing.err
    assert '"status": "completed"' in steplog("show", "e-1", f"--data={file}", "--json").out


def test_a_file_that_a_server_has_open_is_used_through_it(
    file: Path, server: "subprocess.Popen[str]"
) -> None:
    ended = run(file, "Ask", "--id", "e-1")
    assert ended.exit_code == 0, ended.err
    answered = steplog("resume", "e-1", f"--data={file}", "-i", '{"yes": true}')
    watched = steplog("watch", "e-1", f"--data={file}")

    assert answered.exit_code == 0, answered.err
    assert (watched.exit_code, "completed" in watched.out) == (0, True)
    assert steplog("lag", f"--data={file}").exit_code == 0


def test_a_second_server_on_a_file_is_refused(file: Path, server: "subprocess.Popen[str]") -> None:
    ended = steplog("up", f"--data={file}", f"--api-port={free_ports(1)[0]}")

    assert is_one_sentence(ended)
    assert f"in use by process {server.pid}, which answers at http" in ended.err


def test_a_killed_server_leaves_nothing_that_keeps_the_next_one_away(file: Path) -> None:
    killed = up(file)
    assert run(file, "Ask", "--id", "e-1").exit_code == 0
    killed.kill()
    killed.communicate(timeout=READY_TIMEOUT_S)
    lag, shown = steplog("lag", f"--data={file}"), steplog("show", "e-1", f"--data={file}")
    assert (lag.exit_code, shown.exit_code) == (1, 0)
    assert "away" in lag.out
    for told in (lag.out, shown.out):
        assert "No process has" in told

    answered = steplog("resume", "e-1", f"--data={file}", "-i", '{"yes": true}')

    assert answered.exit_code == 0, answered.err
    assert '"completed"' in steplog("show", "e-1", f"--data={file}", "--json").out


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_server_ends_when_asked_to(file: Path, number: signal.Signals) -> None:
    process = up(file)

    process.send_signal(number)
    out, _ = process.communicate(timeout=READY_TIMEOUT_S)

    assert (process.returncode, "Stopped" in out) == (0, True)


def test_rows_can_be_pruned_and_dead_letters_listed(file: Path) -> None:
    run(file, "Greet", "--wait", "--id", "e-1")

    letters = steplog("dead-letters", "list", f"--data={file}")
    pruned = steplog("prune", "--older-than", "0", f"--data={file}")

    assert "No dead letters" in letters.out
    assert "1 executions removed" in pruned.out
    assert json.loads(steplog("ls", f"--data={file}", "--json").out)["items"] == []


@pytest.mark.parametrize("command", [("ls",), ("prune", "--older-than", "1"), ("move",)])
def test_a_file_that_is_not_there_is_named(file: Path, command: tuple[str, ...]) -> None:
    ended = steplog(*command, f"--data={file}")

    assert is_one_sentence(ended)
    assert f"There is no file {file}" in ended.err
    assert not file.exists()


@pytest.mark.parametrize("command", [("ls",), ("up",)])
def test_a_file_that_is_something_else_is_named(file: Path, command: tuple[str, ...]) -> None:
    file.write_text("Buy bread.\n" * 500)

    ended = steplog(*command, f"--data={file}")

    assert is_one_sentence(ended)
    assert file.read_text() == "Buy bread.\n" * 500


def test_a_disk_that_fills_up_ends_the_command_with_the_remedy(file: Path) -> None:
    """The limit on a file's size is met as a full disk would be: in the middle of a write."""
    path = definition_file(file.parent, "Greet")
    assert run(file, "Greet", "--wait").exit_code == 0
    limited = f"ulimit -f 50; exec {sys.executable} -m steplog.cli.main run {path} --data={file}"
    given = json.dumps({"name": "x" * 60_000})

    done = subprocess.run(
        ["bash", "-c", f"{limited} --wait -i @{_input(file, given)}"],
        env=clean_environment(), cwd=ROOT, capture_output=True, text=True, check=False,
        timeout=READY_TIMEOUT_S,
    )  # fmt: skip

    said = done.stderr.strip().splitlines()[-1]
    assert (done.returncode, "Traceback" in done.stderr) == (1, False)
    assert said.startswith("Error: ")
    assert "make room" in said


def _input(file: Path, given: str) -> Path:
    path = file.with_name("input.json")
    path.write_text(given)
    return path


def test_a_port_in_use_is_named(file: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        ended = steplog("up", f"--data={file}", f"--api-port={taken.getsockname()[1]}")

    assert is_one_sentence(ended)
    assert "choose another port with --api-port" in ended.err


def test_a_large_input_is_stored_apart_whether_a_server_has_the_file_open_or_not(
    file: Path, server: "subprocess.Popen[str]"
) -> None:
    large = f"@{_input(file, json.dumps({'name': 'x' * 5_000_000}))}"
    path = definition_file(file.parent, "Greet")
    alone = file.with_name("alone.db")

    through = steplog("run", path, f"--data={file}", "-i", large, "--id", "e-1", "--wait")
    at_once = steplog("run", path, f"--data={alone}", "-i", large, "--id", "e-1", "--wait")

    for ended, data in ((through, file), (at_once, alone)):
        assert ended.exit_code == 0, ended.err
        assert any(data.with_name(f"{data.name}-payloads").rglob("*"))


def test_an_input_beyond_every_bound_is_refused_with_the_bound_and_the_remedy(file: Path) -> None:
    large = f"@{_input(file, json.dumps({'name': 'x' * 34_000_000}))}"

    ended = steplog("run", definition_file(file.parent, "Greet"), f"--data={file}", "-i", large)

    assert is_one_sentence(ended)
    assert "at most 33554432 are taken; put what is large where steps can read it" in ended.err
