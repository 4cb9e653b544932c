"""A container's health check tells whether its own process does its work."""

import http.server
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from steplog.health import EXIT_UNWELL, EXIT_USAGE, EXIT_WELL, main, process_of
from steplog.local.ports import free_ports

PORTS = {"api": "STEPLOG_API_PORT", "worker": "STEPLOG_TRACKER_METRICS_PORT"}


class Process:
    """A process that answers `/readyz` as a test wants."""

    status, said = 200, "ready"

    def __init__(self) -> None:
        process = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                assert self.path == "/readyz"
                body = process.said.encode()
                self.send_response(process.status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self.server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
        self.port = str(self.server.server_port)


@pytest.fixture
def process() -> Iterator[Process]:
    """Return a process that answers."""
    process = Process()
    thread = threading.Thread(target=process.server.serve_forever)
    thread.start()
    yield process
    process.server.shutdown()
    thread.join()
    process.server.server_close()


@pytest.mark.parametrize("name", PORTS)
@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0"])
def test_a_process_that_says_it_is_ready_is_well(process: Process, name: str, host: str) -> None:
    hosts = {"STEPLOG_TRACKER_METRICS_HOST": host, "STEPLOG_API_HOST": host}

    assert main([name], {PORTS[name]: process.port, **hosts}) == EXIT_WELL


@pytest.mark.parametrize("name", PORTS)
def test_a_process_that_is_not_ready_says_why(
    process: Process, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    process.status, process.said = 503, "Partition 3 did not move."

    assert main([name], {PORTS[name]: process.port}) == EXIT_UNWELL
    assert "Partition 3 did not move." in capsys.readouterr().err


@pytest.mark.parametrize("name", PORTS)
def test_a_process_that_is_down_is_unwell(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    port = free_ports(1)[0]

    assert main([name], {PORTS[name]: str(port)}) == EXIT_UNWELL
    assert f"does not answer at 127.0.0.1:{port}" in capsys.readouterr().err


def test_a_worker_without_a_port_says_which_variable_gives_it_one(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["worker"], {}) == EXIT_UNWELL
    assert "STEPLOG_TRACKER_METRICS_PORT" in capsys.readouterr().err


@pytest.mark.parametrize(("age_s", "well"), [(0, True), (120, False), (-3600, True)])
def test_an_executor_is_well_while_it_takes_commands(
    tmp_path: Path, age_s: int, well: bool
) -> None:
    ready = tmp_path / "ready"
    ready.touch()
    then_s = time.time() - age_s
    os.utime(ready, (then_s, then_s))

    code = main(["executor"], {"STEPLOG_READY_FILE": str(ready)})

    assert (code == EXIT_WELL) == well


@pytest.mark.parametrize("named", ["", "nowhere/ready"])
def test_an_executor_without_its_file_is_unwell(named: str) -> None:
    assert main(["executor"], {"STEPLOG_READY_FILE": named}) == EXIT_UNWELL


def test_a_check_loads_next_to_nothing(tmp_path: Path) -> None:
    """It comes every few seconds; what is heavy would be loaded each time."""
    ready = tmp_path / "ready"
    ready.touch()
    told = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "steplog.health", "executor"],
        env={**os.environ, "STEPLOG_READY_FILE": str(ready)},
        capture_output=True,
        text=True,
        check=True,
    )

    heavy = ("pydantic", "executor_service", "tracker_service", "urllib.request", "asyncio", "ssl")
    assert not [name for name in heavy if f"| {name}\n" in told.stderr.replace("|   ", "| ")]


def test_an_unknown_process_is_a_usage_error() -> None:
    assert main(["broker"], {}) == EXIT_USAGE


@pytest.mark.parametrize(
    ("command_line", "process"),
    [
        (b"python\0-m\0executor_service\0", "executor"),
        (b"python\0-m\0tracker_service\0worker\0", "worker"),
        (b"python\0-m\0tracker_service\0api\0", "api"),
        (b"sh\0", "unknown"),
    ],
)
def test_a_container_tells_what_it_is_by_its_command_line(
    command_line: bytes, process: str
) -> None:
    assert process_of(command_line) == process
