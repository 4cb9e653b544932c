"""A server of embedded mode with executions of every kind, for the commands that look."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from steplog.local.ports import free_ports
from tests.steplog.cli.command_line import ROOT, Ended, clean_environment, steplog
from tests.steplog.cli.plain_steps import chain
from tests.steplog.local.waiting import wait_until

Run = Callable[..., Ended]
MODULE = "tests.steplog.cli.plain_steps"
START_TIMEOUT_S = 60.0


class Looked:
    """One server, its file and its API."""

    def __init__(self, folder: Path) -> None:
        port = free_ports(1)[0]
        self.url = f"http://127.0.0.1:{port}"
        self.env = {"STEPLOG_API_URL": self.url, "TZ": "UTC"}
        self.api = httpx.Client(base_url=self.url, trust_env=False, timeout=20)
        self._server = subprocess.Popen(
            [sys.executable, "-m", "steplog.cli.main", "up", "--embedded",
             f"--data-dir={folder}", f"--api-port={port}"],
            env=clean_environment() | {"STEPLOG_STEP_MODULES": MODULE},
            cwd=ROOT,
            stdout=subprocess.DEVNULL,
        )  # fmt: skip

    def run(self, *arguments: str) -> Ended:
        """Run a command that asks this server."""
        return steplog(*arguments, env=self.env)

    def told(self, *arguments: str) -> Any:
        """Run a command and return the JSON it prints."""
        ended = self.run(*arguments, "--json")
        assert ended.exit_code == 0, ended.err
        return json.loads(ended.out)

    def is_up(self) -> bool:
        """Whether the API answers."""
        try:
            return self.api.get("/healthz").is_success
        except httpx.HTTPError:
            return False

    def begin(self, execution_id: str, *classes: str, **given: Any) -> None:
        """Start an execution of a chain of steps."""
        body = {"execution_id": execution_id, "definition": chain(*classes), **given}
        assert self.api.post("/api/executions", json=body).status_code == 202

    def stands(self, execution_id: str, status: str) -> bool:
        """Whether an execution stands so."""
        answer = self.api.get(f"/api/executions/{execution_id}")
        return bool(answer.is_success and answer.json()["execution"]["status"] == status)

    def stop(self) -> None:
        """End the server."""
        self.api.close()
        self._server.terminate()
        self._server.wait(timeout=30)


@contextmanager
def looked_at(folder: Path) -> Iterator[Looked]:
    """Yield a server with an execution that waits, one that worked, one that failed, and a fork."""
    looked = Looked(folder)
    try:
        wait_until(looked.is_up, START_TIMEOUT_S)
        looked.begin("good-1", "Greet", input={"name": "Ada"}, metadata={"customer": "42"})
        looked.begin("bad-1", "Greet", "Fail", input={"name": "Ada"})
        looked.begin("asks-1", "Ask", "Greet", input={"name": "Ada"})
        statuses = {"good-1": "completed", "bad-1": "failed", "asks-1": "waiting_for_human"}
        for execution_id, status in statuses.items():
            wait_until(lambda one=execution_id, then=status: looked.stands(one, then))
        looked.api.post("/api/executions/bad-1/fork", json={"from_step": "fail"})
        wait_until(lambda: looked.api.get("/api/counts").json()["counts"].get("failed") == 2)
        yield looked
    finally:
        looked.stop()
