"""A running pair with a page, and executions of every kind to look at."""

import json
from dataclasses import dataclass
from typing import Any

import httpx

from tests.services import ROOT, Services
from tests.steplog.cli.plain_steps import chain
from tests.steplog.local.waiting import wait_until

STEPS = "examples.*,tests.steplog.cli.plain_steps"
WAIT_S = 30.0


@dataclass
class Site:
    """The page's address, and commands by the API beneath it."""

    url: str
    services: Services

    def run(self, definition: dict[str, Any], input_data: Any = None, **more: Any) -> str:
        """Start an execution and return its id once it is in the rows."""
        body = {"definition": definition, "input": input_data or {}, **more}
        answer = httpx.post(f"{self.url}/api/executions", json=body).raise_for_status().json()
        self._applied(answer["command_id"])
        return str(answer["execution_id"])

    def until(self, execution_id: str, status: str) -> str:
        """Return the execution's id once it stands so."""
        address = f"{self.url}/api/executions/{execution_id}"
        wait_until(lambda: httpx.get(address).json()["execution"]["status"] == status, WAIT_S)
        return execution_id

    def asking(self) -> str:
        """Return an execution that waits for an answer."""
        definition = json.loads((ROOT / "examples/article_approval/pipeline.json").read_text())
        execution_id = self.run(definition, {"topic": "The price of tea"})
        return self.until(execution_id, "waiting_for_human")

    def failed(self) -> str:
        """Return an execution that failed at its second step."""
        definition = chain("Greet", "Fail")
        return self.until(self.run(definition, {"name": "Ada"}), "failed")

    def completed(self, **changes: Any) -> str:
        """Return an execution that completed; `changes` are laid over its definition."""
        definition = {**chain("Greet"), **changes}
        return self.until(self.run(definition, {"name": "Ada"}), "completed")

    def _applied(self, command_id: str) -> None:
        address = f"{self.url}/api/commands/{command_id}?timeout_ms=5000"
        wait_until(lambda: httpx.get(address, timeout=30).json()["status"] == "applied", WAIT_S)
