"""A plain step that never returns holds up no stop: SIGTERM, Ctrl-C, a second Ctrl-C."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from steplog.local.ports import free_ports
from tests.steplog.cli.command_line import ROOT, clean_environment, steplog
from tests.steplog.local.waiting import wait_until

MODULE = "tests.steplog.cli.hung_steps"
GRACE_S = 1.0
# Far below what the step takes, far above what a busy machine needs.
ENDS_WITHIN_S = 40.0
Process = subprocess.Popen[str]


@pytest.fixture
def started(tmp_path: Path) -> Iterator[list[Process]]:
    """Return a list for processes, which are ended afterwards."""
    processes: list[Process] = []
    yield processes
    for process in processes:
        process.kill()
        process.communicate()


def start(started: list[Process], *arguments: str) -> Process:
    environment = clean_environment() | {
        "STEPLOG_STEP_MODULES": MODULE,
        "STEPLOG_SHUTDOWN_GRACE_S": str(GRACE_S),
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "steplog.cli.main", *arguments],
        env=environment, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        start_new_session=True,
    )  # fmt: skip
    started.append(process)
    return process


def hanging(folder: Path) -> tuple[str, str]:
    """Return a definition whose step hangs, and its input."""
    path = folder / "hang.json"
    step = {"id": "a", "module": MODULE, "step_class": "Hang"}
    path.write_text(json.dumps({"name": "hang", "steps": [step], "flow": {"start_at": "a"}}))
    return str(path), json.dumps({"began": str(folder / "began")})


def running_server(started: list[Process], folder: Path) -> Process:
    """Return `steplog up` on a file, a step of which hangs."""
    data = f"--data={folder / 'steplog.db'}"
    server = start(started, "up", data, f"--api-port={free_ports(1)[0]}")
    assert server.stdout is not None
    assert "steplog runs on" in server.stdout.readline()
    definition, given = hanging(folder)
    assert steplog("run", definition, data, "-i", given).exit_code == 0
    wait_until((folder / "began").exists)
    return server


def ended(process: Process, *signals: signal.Signals) -> tuple[int, float]:
    """Send signals one after the other; return the exit code and how long it took."""
    begun = time.monotonic()
    for number in signals:
        process.send_signal(number)
        time.sleep(0.3)
    process.communicate(timeout=ENDS_WITHIN_S)
    return process.returncode, time.monotonic() - begun


def test_a_server_that_is_told_to_stop_leaves_a_hung_step(
    started: list[Process], tmp_path: Path
) -> None:
    code, took_s = ended(running_server(started, tmp_path), signal.SIGTERM)

    assert code == 0
    assert took_s >= GRACE_S


def test_a_second_ctrl_c_ends_a_server_at_once(started: list[Process], tmp_path: Path) -> None:
    server = running_server(started, tmp_path)

    code, _ = ended(server, signal.SIGINT, signal.SIGINT)

    assert code in (0, 130)


@pytest.mark.parametrize("presses", [1, 2])
def test_ctrl_c_ends_a_run_that_is_waited_for(
    started: list[Process], tmp_path: Path, presses: int
) -> None:
    definition, given = hanging(tmp_path)
    data = f"--data={tmp_path / 'steplog.db'}"
    waiting = start(started, "run", definition, data, "-i", given, "--wait", "--id", "e-1")
    wait_until((tmp_path / "began").exists)

    code, _ = ended(waiting, *[signal.SIGINT] * presses)
    left = json.loads(steplog("show", "e-1", data, "--json").out)

    assert code == 130
    assert left["execution"]["status"] == "running"


def test_a_limit_counts_from_when_the_code_begins(tmp_path: Path) -> None:
    """More plain steps at once than there are threads for them; each has time enough."""
    names = [f"s{number}" for number in range(130)]
    limit = {"timeout_seconds": 2.8}
    steps = [
        {"id": name, "module": MODULE, "step_class": "Slow", "error_handling": limit}
        for name in names
    ]
    first = {"id": "first", "module": "tests.steplog.cli.plain_steps", "step_class": "Greet"}
    paths = [{"from": "first", "to": name} for name in names]
    definition = tmp_path / "many.json"
    definition.write_text(
        json.dumps(
            {
                "name": "many",
                "steps": [first, *steps],
                "flow": {"start_at": "first", "paths": paths},
            }
        )
    )

    data = f"--data={tmp_path / 'steplog.db'}"
    ran = steplog("run", str(definition), data, "-i", '{"name": "Ada"}', "--wait", "--json")

    assert ran.exit_code == 0, ran.err
    answer = json.loads(ran.out)
    completed = [step for step in answer["steps"] if step["status"] == "completed"]
    assert len(completed) == 131
