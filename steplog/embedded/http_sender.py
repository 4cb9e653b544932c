"""Commands to a file that a server has open: over its API, since only one process may append."""

import uuid
from types import TracebackType
from typing import Any

import httpx
from pydantic_core import to_json

from executor_service.adapters.embedded.event_log import PARTITIONS
from steplog.client.command_record import refuse_beyond_bound
from steplog.client.patience import patiently
from steplog.client.sender import Submitted
from steplog.errors import BadInput, NotAnswered, ServiceUnreachable
from steplog_contracts.commands import (
    CancelExecution,
    Command,
    ForkExecution,
    ResumeExecution,
    RetryExecution,
    RunPipeline,
)

REQUEST_TIMEOUT_S = 20.0
_NOT_IN_BODIES = {"requested_by", "command_type"}


class ApiSender:
    """Sends commands to one API; an async context manager and a `Sender`."""

    def __init__(
        self,
        url: str,
        token: str | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._url = url
        # A proxy of the environment can't reach an API on this machine.
        self._http = httpx.AsyncClient(
            base_url=url,
            timeout=REQUEST_TIMEOUT_S,
            transport=transport,
            trust_env=False,
            headers={"Authorization": f"Bearer {token}"} if token else None,
        )

    async def __aenter__(self) -> "ApiSender":
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._http.aclose()

    async def send(self, command: Command, command_id: str | None = None) -> Submitted:
        """Send one command; it is in the log when this returns.

        Raises:
            BadInput: it is larger than any way to send one takes.
            ServiceUnreachable: nothing answers.
            NotAnswered: the API refuses; the text is its own.
        """
        path, body = request_of(command)
        # Always one: what is sent again after a while has the effect of once.
        headers = {
            "Idempotency-Key": command_id or str(uuid.uuid4()),
            "Content-Type": "application/json",
        }
        content = to_json(body)
        refuse_beyond_bound(len(content))
        try:
            response = await patiently(
                lambda: self._http.post(path, content=content, headers=headers)
            )
            answer = response.json()
        except (httpx.HTTPError, ValueError) as error:
            raise ServiceUnreachable(
                f"The server at {self._url} that has the file open does not answer; stop it, or "
                "try again."
            ) from error
        if not response.is_success:
            raise NotAnswered(str(answer.get("detail", response.reason_phrase)))
        return Submitted(answer["execution_id"], answer["command_id"])

    async def partitions(self) -> int:
        """Return how many partitions executions are spread over."""
        return PARTITIONS


def request_of(command: Command) -> tuple[str, dict[str, Any]]:
    """Return the path and the body that ask the API for a command."""
    given = command.model_dump(mode="json", exclude_defaults=True, exclude=_NOT_IN_BODIES)
    match command:
        case RunPipeline():
            return "/api/executions", given
        case CancelExecution() | ResumeExecution():
            return _about(command.execution_id, command, given)
        case RetryExecution() | ForkExecution():
            del given["origin_execution_id"]
            return _about(command.origin_execution_id, command, given)
        case _:
            raise BadInput(f"The API takes no {command.command_type}.")


def _about(
    execution_id: str, command: Command, given: dict[str, Any]
) -> tuple[str, dict[str, Any]]:
    del given["execution_id"]
    action = {
        CancelExecution: "cancel",
        ResumeExecution: "resume",
        RetryExecution: "retry",
        ForkExecution: "fork",
    }[type(command)]
    return f"/api/executions/{execution_id}/{action}", given
