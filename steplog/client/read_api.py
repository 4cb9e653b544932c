"""The tracker's HTTP API as typed answers; every question about the past goes here."""

import json
import re
import ssl
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NoReturn, TypeVar
from urllib.parse import quote

import httpx
from pydantic import ValidationError

from steplog.client.patience import COME_AGAIN, PATIENCE_S, patiently
from steplog.client.sse import EventTooLong, ServerEvent, server_events
from steplog.client.stored_values import MAX_FETCHED_BYTES, StoredValues
from steplog.errors import (
    BadInput,
    NeverBegan,
    NotAnswered,
    NotAvailable,
    NotFound,
    ServiceUnreachable,
)
from steplog_contracts.payload import JsonObject, JsonValue
from steplog_contracts.records import ExecutionRecord, InteractionRecord, RowRecord, StepRecord

REQUEST_TIMEOUT_S = 40.0  # More than the longest wait the API grants.
LOOPBACK_NAMES = frozenset({"127.0.0.1", "localhost", "::1"})

MAX_PORT: Final = 65_535
STEPS_ON_A_PAGE: Final = 10_000
# What has a place of its own in a path is in no id.
_ID: Final = re.compile(r"(?!\.{1,2}$)[^/\x00-\x1f\x7f]{1,500}")

Answer = Mapping[str, Any]
# Values of a list become a parameter given several times.
Parameter = str | int | float | list[str] | None
RecordT = TypeVar("RecordT", bound=RowRecord)


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


def _host_of(url: str) -> str:
    try:
        address = httpx.URL(url)
    except httpx.InvalidURL:
        address = httpx.URL("")
    usable = address.scheme in ("http", "https") and address.host
    if not usable or (address.port or 0) > MAX_PORT:
        raise BadInput(
            f"STEPLOG_API_URL is {url!r}, which is no address; give one such as "
            "http://127.0.0.1:8400."
        )
    return address.host


class _Told(dict[str, Any]):
    """An answer, or a row in one, which says so where it lacks what this version looks for."""

    def __missing__(self, key: str) -> NoReturn:
        raise NotAnswered(f"The API tells no {key!r}; use the same version as the API's.")

    def __or__(self, other: Mapping[str, Any]) -> "_Told":  # type: ignore[override]
        """Return the answer with other values, which lacks as little in silence as before."""
        return _Told({**self, **other})


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
        patience_s: float = PATIENCE_S,
    ) -> None:
        host = _host_of(url)
        self._url = url
        self._patience_s = patience_s
        # The API within this process gives an answer when it is whole.
        self.can_stream = not isinstance(transport, httpx.ASGITransport)
        self._http = httpx.AsyncClient(
            base_url=url,
            timeout=REQUEST_TIMEOUT_S,
            transport=transport,
            verify=_trusted(url),
            headers={"Authorization": f"Bearer {token}"} if token else None,
            # A proxy of the environment can't reach an API on this machine.
            trust_env=host not in LOOPBACK_NAMES,
        )

    async def close(self) -> None:
        """Close connections."""
        await self._http.aclose()

    async def execution(self, execution_id: str, *, whole: bool = True) -> ExecutionRecord:
        """Return one execution; raise `NotFound` if its rows are not there.

        With `whole`, values that are stored apart are fetched, up to `MAX_FETCHED_BYTES`.
        """
        answer = await self.get(path_of(execution_id))
        [record] = await self._records(ExecutionRecord, [answer.get("execution")], whole=whole)
        return record

    async def steps(self, execution_id: str, *, whole: bool = True) -> tuple[StepRecord, ...]:
        """Return an execution's visits to steps in the order they began, however many; `whole`
        as of `execution`, for all of them together."""
        path, found = path_of(execution_id, "steps"), list[Any]()
        while True:
            answer = await self.get(path, after_seq=found[-1]["seq"] if found else None)
            items = answer.get("items", ())
            found.extend(items)
            if len(items) < STEPS_ON_A_PAGE:
                return tuple(await self._records(StepRecord, found, whole=whole))

    async def executions(self, **filters: Parameter) -> ExecutionPage:
        """Return a page of executions; filters are those of the API, None leaves one out.

        Values that are stored apart are not fetched: a `StoredValue` stands for each.
        """
        answer = await self.get("/api/executions", **filters)
        items = await self._records(ExecutionRecord, answer.get("items", ()), whole=False)
        return ExecutionPage(tuple(items), answer.get("next_cursor"), answer)

    async def waits(self, execution_id: str) -> tuple[InteractionRecord, ...]:
        """Return the questions an execution asked people, in the order they were asked."""
        answer = await self.get(path_of(execution_id, "waits"))
        return tuple(await self._records(InteractionRecord, answer.get("items", ()), whole=True))

    async def whole(
        self, rows: Sequence[Mapping[str, Any]], max_bytes: int = MAX_FETCHED_BYTES
    ) -> list[JsonObject]:
        """Return rows of an answer as JSON, the values that are stored apart in their places."""
        return await StoredValues(self._content, max_bytes, as_json=True).whole(rows)

    def apart(self, row: Mapping[str, Any]) -> JsonObject:
        """Return a row with a `StoredValue` in the place of each value that is stored apart."""
        return StoredValues(self._content).apart(row)

    async def payload(self, execution_id: str, sha256: str) -> JsonValue:
        """Return a value that is kept in the payload store."""
        return json.loads(await self._content(execution_id, sha256))

    async def _content(self, execution_id: str, sha256: str) -> bytes:
        return await self.content(path_of(execution_id, "payloads", sha256))

    async def command(self, command_id: str, wait_ms: int = 0) -> CommandOutcome:
        """Return what became of a command, waiting for it up to `wait_ms`."""
        answer = await self.get(f"/api/commands/{quote(command_id, safe='')}", timeout_ms=wait_ms)
        return CommandOutcome(answer["status"], answer["code"], answer["message"])

    async def get(self, path: str, **parameters: Parameter) -> dict[str, Any]:
        """Return an answer as it came.

        Raises:
            NotFound: the API has no such thing.
            NotAnswered: it refuses the question; the text is its own.
            NotAvailable: it can't answer now, also not within the time a client waits for it.
            ServiceUnreachable: nothing answers at the address, or something else does.
        """
        given = {name: value for name, value in parameters.items() if value is not None}
        body = _json(await self._answer(path, given))
        if not isinstance(body, dict) or "freshness" not in body:
            raise self._away()
        rows = body.get("items")
        if isinstance(rows, list):
            body["items"] = [_Told(row) if isinstance(row, dict) else row for row in rows]
        return _Told(body)

    async def content(self, path: str) -> bytes:
        """Return an answer that is no record of ours, as it came; raises as `get` does."""
        return (await self._answer(path, {})).content

    async def _answer(self, path: str, given: Mapping[str, Any]) -> httpx.Response:
        try:
            response = await patiently(lambda: self._http.get(path, params=given), self._patience_s)
        except httpx.HTTPError as error:
            raise self._away() from error
        if not response.is_success:
            raise _refusal(response)
        return response

    async def stream(
        self, path: str, last_event_id: str | None = None
    ) -> AsyncGenerator[ServerEvent]:
        """Yield what the API tells as it happens; ends when the line breaks or the API ends it.

        Args:
            path: of the stream.
            last_event_id: of the last event received, to be told what came after it.

        Raises:
            NotAnswered: the API refuses, or has no such stream.
            ServiceUnreachable: nothing answers at the address.
        """
        headers = {"Accept": "text/event-stream"}
        if last_event_id is not None:
            headers["Last-Event-ID"] = last_event_id
        try:
            async with self._http.stream("GET", path, headers=headers) as response:
                if not response.is_success:
                    await response.aread()
                    raise _refusal(response)
                if "text/event-stream" not in response.headers.get("Content-Type", ""):
                    raise NotAnswered(f"The API has no stream at {path}.")
                async for event in server_events(response.aiter_bytes()):
                    yield event
        except (httpx.HTTPError, EventTooLong) as error:
            raise self._away() from error

    async def _records(
        self, kind: type[RecordT], given: Sequence[Any], *, whole: bool
    ) -> list[RecordT]:
        rows = [row for row in given if isinstance(row, dict)]
        if len(rows) < len(given):
            return [self._record(kind, row) for row in given]  # It says what is wrong with it.
        values = StoredValues(self._content)
        read = await values.whole(rows) if whole else [values.apart(row) for row in rows]
        return [self._record(kind, row) for row in read]

    def _record(self, kind: type[RecordT], given: object) -> RecordT:
        try:
            return kind.model_validate(given)
        except ValidationError as error:
            raise NotAnswered(
                f"The API at {self._url} answers with what this version can't read; use the "
                "same version as the API's."
            ) from error

    def _away(self) -> ServiceUnreachable:
        return ServiceUnreachable(
            f"No steplog API answers at {self._url}; start the stack with `steplog up` or "
            "correct STEPLOG_API_URL."
        )


def path_of(execution_id: str, *parts: str) -> str:
    """Return the API's path about an execution; raise `BadInput` for what can be no id."""
    if _ID.fullmatch(execution_id) is None:
        raise BadInput(f"{execution_id!r} can be no id of an execution; `steplog ls` lists them.")
    quoted = (quote(part, safe="") for part in (execution_id, *parts))
    return "/".join(["/api/executions", *quoted])


def _json(response: httpx.Response) -> object:
    try:
        body: object = response.json()
    except ValueError:  # A page of some proxy, or of another program.
        return None
    return body


def _refusal(response: httpx.Response) -> NotAnswered:
    body = _json(response)
    told = body.get("detail") if isinstance(body, dict) else None
    detail = str(told or response.reason_phrase or f"The API answers {response.status_code}.")
    if response.status_code == httpx.codes.NOT_FOUND:
        if isinstance(body, dict) and "command_id" in body and "code" in body:
            return NeverBegan(detail, str(body["code"]), str(body["command_id"]))
        return NotFound(detail)
    if response.status_code in COME_AGAIN:
        return NotAvailable(detail)
    if response.status_code == httpx.codes.UNAUTHORIZED:
        return NotAnswered(f"{detail.rstrip('.')}; set STEPLOG_API_TOKEN to a token of yours.")
    return NotAnswered(detail)
