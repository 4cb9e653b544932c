"""Whatever answers at the API's address, people get one sentence with the remedy."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tests.steplog.cli.command_line import is_one_sentence, steplog

LOOKS = ("ls", "show x", "show x --graph", "watch x", "top --once", "stats", "waits", "lag",
         "events x", "payload x " + "a" * 64)  # fmt: skip
EXPIRED = {"detail": "The token has expired; ask whoever runs this API for a new one."}
OF_ANOTHER_VERSION = {"items": [{"id": 1}], "execution": {"id": 1}, "freshness": {}}


@contextmanager
def answering(status: int, body: bytes) -> Iterator[str]:
    """Yield the URL of a server that gives one answer to everything."""

    class Always(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_told: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Always) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (200, b"<html>It works!</html>", "No steplog API answers at"),
        (200, b"[1, 2]", "No steplog API answers at"),
        (200, b'{"hello": "world"}', "No steplog API answers at"),
        (502, b"<html>Bad Gateway</html>", "Bad Gateway"),
        (401, json.dumps(EXPIRED).encode(), "STEPLOG_API_TOKEN"),
        (200, json.dumps(OF_ANOTHER_VERSION).encode(), "use the same version"),
    ],
)
def test_an_odd_answer_is_one_sentence(status: int, body: bytes, said: str) -> None:
    with answering(status, body) as url:
        looks = [look for look in LOOKS if status != 200 or not look.startswith("payload")]
        ends = {look: steplog(*look.split(), env={"STEPLOG_API_URL": url}) for look in looks}

    assert {look: end for look, end in ends.items() if not is_one_sentence(end)} == {}
    assert [end for end in ends.values() if end.exit_code != 1 or said not in end.err] == []


def test_an_address_that_is_none_is_named() -> None:
    for address in ("nonsense", "http://", "ftp://x", "http://[::1", "http://127.0.0.1:99999"):
        ended = steplog("ls", env={"STEPLOG_API_URL": address})

        assert is_one_sentence(ended), ended
        assert ended.exit_code == 1
        assert "STEPLOG_API_URL" in ended.err
