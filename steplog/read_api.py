"""The tracker's HTTP API as typed answers; every question about the past goes here."""

import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from contracts.records import ExecutionRecord, StepRecord
from steplog.errors import NotAnswered, NotFound, ServiceUnreachable

REQUEST_TIMEOUT_S = 40.0  # More than the longest wait the API grants.
LOOPBACK_NAMES = frozenset({"127.0.0.1", "localhost", "::1"})

Answer = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class CommandOutcome:
    """What became of a command: `unknown` (not seen yet), `applied` or `refused`."""

    status: str
    code: str | None
    message: str | None


@dataclass(frozen=True, slots=True)
class ExecutionPage:
    """Executions, newest first, and where the next page begins."""

    items: tuple[ExecutionRecord, ...]
    next_cursor: str | None
    answer: Answer  # As it came, with freshness.


def _trusted(url: str) -> ssl.SSLContext | bool:
    """Load the authorities of the web, which takes a while, only where they are asked."""
    return True if url.startswith("https:") else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


class ReadApi:
    """One API; an async context manager by way of its owner, which calls `close`."""

    def __init__(
        self,
        url: str,
        transport: httpx.AsyncBaseTransport | None = None,
        *,
        token: str | None = None,
    ) -> None:
        self._url = url
        self._http = httpx.AsyncClient(
            base_url=url,
            timeout=REQUEST_TIMEOUT_S,
            transport=transport,
            verify=_trusted(url),
            headers={"Authorization": f"Bearer {token}"} if token else None,
            # A proxy of the environment can't reach an API on this machine.
            trust_env=httpx.URL(url).host not in LOOPBACK_NAMES,
        )

    async def close(self) -> None:
        """Close connections."""
        await self._http.aclose()

    async def execution(self, execution_id: str) -> ExecutionRecord:
        """Return one execution; raise `NotFound` if its rows are not there."""
        answer = await self.get(f"/api/executions/{execution_id}")
        return ExecutionRecord.model_validate(answer["execution"])

    async def steps(self, execution_id: str) -> tuple[StepRecord, ...]:
        """Return an execution's visits to steps in the order they began."""
        answer = await self.get(f"/api/executions/{execution_id}/steps")
        return tuple(StepRecord.model_validate(item) for item in answer["items"])

    async def executions(self, **filters: str | int | None) -> ExecutionPage:
        """Return a page of executions; filters are those of the API, None leaves one out."""
        answer = await self.get("/api/executions", **filters)
        items = tuple(ExecutionRecord.model_validate(item) for item in answer["items"])
        return ExecutionPage(items, answer["next_cursor"], answer)

    async def command(self, command_id: str, wait_ms: int = 0) -> CommandOutcome:
        """Return what became of a command, waiting for it up to `wait_ms`."""
        answer = await self.get(f"/api/commands/{command_id}", timeout_ms=wait_ms)
        return CommandOutcome(answer["status"], answer["code"], answer["message"])

    async def get(self, path: str, **parameters: str | int | None) -> Answer:
        """Return an answer as it came.

        Raises:
            NotFound: the API has no such thing.
            NotAnswered: it refuses the question or can't answer now; the text is its own.
            ServiceUnreachable: nothing answers at the address.
        """
        given = {name: value for name, value in parameters.items() if value is not None}
        try:
            response = await self._http.get(path, params=given)
            body: Answer = response.json()
        except (httpx.HTTPError, ValueError) as error:
            raise ServiceUnreachable(
                f"No steplog API answers at {self._url}; start the stack with `steplog up` or "
                "correct STEPLOG_API_URL."
            ) from error
        if response.is_success:
            return body
        detail = str(body.get("detail", response.reason_phrase))
        raise (NotFound if response.status_code == httpx.codes.NOT_FOUND else NotAnswered)(detail)
