"""A container's health check tells whether its process does its work."""

import http.server
import json
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from steplog.health import EXIT_UNWELL, EXIT_USAGE, EXIT_WELL, main, process_of
from steplog.local.ports import free_ports


class Api:
    """An API that says of the tracker what a test wants."""

    tracker = "fresh"

    def __init__(self) -> None:
        api = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = json.dumps({"status": "ready", "tracker": api.tracker}).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self.server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"


@pytest.fixture
def api() -> Iterator[Api]:
    """Return an API that answers."""
    api = Api()
    thread = threading.Thread(target=api.server.serve_forever)
    thread.start()
    yield api
    api.server.shutdown()
    thread.join()
    api.server.server_close()


@pytest.mark.parametrize(
    ("process", "tracker", "code"),
    [
        ("api", "away", EXIT_WELL),
        ("worker", "fresh", EXIT_WELL),
        ("worker", "behind", EXIT_WELL),
        ("worker", "away", EXIT_UNWELL),
    ],
)
def test_a_worker_is_well_while_it_looks_at_the_log(
    api: Api, process: str, tracker: str, code: int
) -> None:
    """A worker that is behind works; one nobody has heard of does not."""
    api.tracker = tracker

    assert main([process], {"STEPLOG_API_URL": api.url}) == code


def test_an_api_that_is_down_is_unwell(capsys: pytest.CaptureFixture[str]) -> None:
    port = free_ports(1)[0]

    code = main(["api"], {"STEPLOG_API_PORT": str(port)})

    assert code == EXIT_UNWELL
    assert f"does not answer at http://127.0.0.1:{port}" in capsys.readouterr().err


@pytest.mark.parametrize(("age_s", "well"), [(0, True), (120, False)])
def test_an_executor_is_well_while_it_takes_commands(
    tmp_path: Path, age_s: int, well: bool
) -> None:
    ready = tmp_path / "ready"
    ready.touch()
    then_s = time.time() - age_s
    os.utime(ready, (then_s, then_s))

    code = main(["executor"], {"STEPLOG_READY_FILE": str(ready)})

    assert (code == EXIT_WELL) == well


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
