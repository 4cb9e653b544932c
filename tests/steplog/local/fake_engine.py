"""A Docker engine as far as starting, watching and removing one container goes.

It answers over a Unix socket with what the Engine API's reference says (version 1.47), runs nothing
and remembers what it was asked.
"""

import json
import re
import threading
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import ThreadingUnixStreamServer
from typing import Any

CONTAINER_ID = "c0ffee" * 10
_VERSION = re.compile(r"^/v[\d.]+")


class FakeEngine:
    """Start it with `with`; `asked` has method and path of every request, in order."""

    def __init__(self, socket_path: Path) -> None:
        self.url = f"unix://{socket_path}"
        self.asked: list[str] = []
        self.created: dict[str, Any] = {}
        self.status = "running"
        self._server = ThreadingUnixStreamServer(str(socket_path), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever)

    def __enter__(self) -> "FakeEngine":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def answer(self, method: str, path: str, body: bytes) -> tuple[int, Any]:
        """Return status and body of an answer."""
        bare = _VERSION.sub("", path).partition("?")[0]
        self.asked.append(f"{method} {bare}")
        match f"{method} {bare}":
            case "GET /_ping":
                return 200, "OK"
            case "GET /version":
                return 200, {"ApiVersion": "1.47", "MinAPIVersion": "1.24", "Version": "27"}
            case "POST /containers/create":
                self.created = json.loads(body)
                return 201, {"Id": CONTAINER_ID, "Warnings": []}
            case inspect if inspect == f"GET /containers/{CONTAINER_ID}/json":
                return 200, self._inspected()
            case image if image.startswith("GET /images/"):
                return 200, {"Id": "sha256:1", "RepoTags": []}
            case "GET /info":
                return 200, {}
        if method == "POST" and bare.endswith("/stop"):
            self.status = "exited"
        return 204, None

    def _inspected(self) -> dict[str, Any]:
        state = {"Status": self.status, "ExitCode": 137 if self.status == "exited" else 0}
        return {"Id": CONTAINER_ID, "State": state, "Config": {}, "NetworkSettings": {}}

    def _handler(engine) -> type[BaseHTTPRequestHandler]:  # noqa: N805 - `self` is the request's
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _take(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                status, answer = engine.answer(self.command, self.path, body)
                text = answer if isinstance(answer, str) else json.dumps(answer)
                data = b"" if answer is None else text.encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_POST = do_DELETE = _take  # noqa: N815

            def address_string(self) -> str:
                return "client"

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        return Handler
