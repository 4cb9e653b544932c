"""Steps of type `http`: one request, bounded in time and size, to an allowed host."""

import json
import re
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote, urljoin, urlsplit

import httpcore
from pydantic_core import from_json

from executor_service.errors import HostNotAllowed, HttpFailed, HttpStatusFailed
from executor_service.steps.http_policy import CheckedNetwork, HttpPolicy
from executor_service.steps.step import Step
from steplog_contracts.payload import JsonObject, JsonValue, json_problem

MAX_REDIRECTS: Final = 5
MAX_SHOWN_CHARS: Final = 300
# Waiting for a connection, or for the next part of an answer; the step's limit bounds them all.
PART_TIMEOUT_S: Final = 20.0
IDEMPOTENCY_HEADER: Final = "idempotency-key"
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
# Whatever else a definition's header is called, it may hold what only the first host may know.
_TO_ANYBODY: Final = frozenset(
    {
        "accept",
        "accept-encoding",
        "content-length",
        "content-type",
        "user-agent",
        IDEMPOTENCY_HEADER,
    }
)
# These say how a request is sent, which is not for a definition to say.
_OURS: Final = frozenset(
    {"connection", "content-length", "expect", "host", "keep-alive", "te", "trailer",
     "transfer-encoding", "upgrade"}
)  # fmt: skip
# What an address may hold as it is; anything else is written as %XX, a line break too.
_IN_ADDRESSES: Final = "!#$%&'()*+,/:;=?@[]~"


class HttpRequest(Step):
    """Sends a request and returns `{"response": {"status", "headers", "body"}}`."""

    async def run(self, data: Any) -> Any:  # noqa: ARG002 - what is asked is in its settings
        """Send the request, follow what leads to allowed hosts, and judge the status.

        Raises:
            HostNotAllowed, HttpStatusFailed: trying again would change nothing.
            HttpFailed: no answer, or a status that is worth another try.
        """
        method, url = self.config["method"], _quoted(str(self.config["url"]))
        policy = HttpPolicy.of_environment()
        headers, content = _request(self.config, self.context.idempotency_key)
        async with httpcore.AsyncConnectionPool(network_backend=CheckedNetwork(policy)) as pool:
            for _ in range(MAX_REDIRECTS + 1):
                policy.check(_host(url))
                status, found, body = await self._send(pool, method, url, headers, content)
                target = found.get("location")
                if status not in _REDIRECTS or target is None or status in self._expected:
                    return self._judged(status, found, body)
                before, url = url, _led_to(url, target)
                if _origin(url) != _origin(before):
                    headers = {k: v for k, v in headers.items() if k in _TO_ANYBODY}
                if status in (301, 302, 303) and method != "HEAD":
                    method, content = "GET", None
        raise HttpStatusFailed(f"It was sent on more than {MAX_REDIRECTS} times.")

    @property
    def _expected(self) -> list[int]:
        return self.config.get("expect") or []

    async def _send(
        self,
        pool: httpcore.AsyncConnectionPool,
        method: str,
        url: str,
        headers: Mapping[str, str],
        content: bytes | None,
    ) -> tuple[int, dict[str, str], bytes]:
        timeouts = dict.fromkeys(("connect", "read", "write", "pool"), PART_TIMEOUT_S)
        of_content = () if content is not None else ("content-type", "content-length")
        sent = {name: value for name, value in headers.items() if name not in of_content}
        sent["host"] = urlsplit(url).netloc.rpartition("@")[2]
        try:
            async with pool.stream(
                method, url, headers=[(k.encode(), v.encode()) for k, v in sent.items()],
                content=content, extensions={"timeout": timeouts},
            ) as response:  # fmt: skip
                found = {k.decode("latin-1").lower(): v.decode("latin-1")
                         for k, v in response.headers}  # fmt: skip
                return response.status, found, await self._read(response)
        except httpcore.UnsupportedProtocol as error:
            raise HostNotAllowed(f"{_shown(url)} is no address of http or https.") from error
        except httpcore.LocalProtocolError as error:
            raise HttpStatusFailed(f"This request can't be sent: {error}.") from error
        except (httpcore.NetworkError, httpcore.TimeoutException, httpcore.ProtocolError) as error:
            raise HttpFailed(
                f"{_shown(url)} did not answer: {str(error).rstrip('.') or type(error).__name__}."
            ) from error

    async def _read(self, response: httpcore.Response) -> bytes:
        at_most, parts, size = self.config["max_response_bytes"], [], 0
        async for part in response.aiter_stream():
            size += len(part)
            if size > at_most:
                raise HttpStatusFailed(
                    f"The answer is larger than {at_most} bytes; raise max_response_bytes, or ask "
                    "for less."
                )
            parts.append(part)
        return b"".join(parts)

    def _judged(self, status: int, headers: dict[str, str], body: bytes) -> JsonObject:
        expected = self.config.get("expect")
        if status in expected if expected is not None else 200 <= status < 300:
            answer = {"status": status, "headers": headers, "body": _parsed(headers, body)}
            return {"response": answer}
        text = body[:MAX_SHOWN_CHARS].decode("utf-8", "replace")
        message = f"The status is {status}: {text}" if text else f"The status is {status}."
        if status in self.config["retry_statuses"]:
            raise HttpFailed(message)
        raise HttpStatusFailed(message)


def _request(settings: JsonObject, key: str) -> tuple[dict[str, str], bytes | None]:
    """Return headers, by their names in small letters, and the body."""
    headers = {"accept": "*/*", "accept-encoding": "identity", "user-agent": "steplog"}
    headers[IDEMPOTENCY_HEADER] = key
    body: JsonValue = settings.get("body")
    content = None
    if isinstance(body, str):
        content, headers["content-type"] = body.encode(), "text/plain; charset=utf-8"
    elif body is not None:
        content, headers["content-type"] = json.dumps(body).encode(), "application/json"
    for name, value in (settings.get("headers") or {}).items():
        text = value.strip() if isinstance(value, str) else json.dumps(value)
        if not all(" " <= sign <= "~" or "\xa0" <= sign <= "\xff" for sign in name + text):
            raise HttpStatusFailed(f"The header {name!r} has characters that can't be sent.")
        if name.lower() in _OURS:
            raise HttpStatusFailed(f"The header {name!r} is made by steplog; leave it out.")
        headers[name.lower()] = text
    if content is not None:
        headers["content-length"] = str(len(content))
    return headers, content


def _quoted(url: str) -> str:
    """Return an address with what can't stand in one written as %XX; its host is left alone."""
    start, slashes, rest = url.partition("://")
    host = re.split(r"[/?#]", rest, maxsplit=1)[0]
    if not (host.isascii() and host.isprintable()):
        raise HostNotAllowed(
            f"{_shown(url)!r} is no address: write its host in ASCII, a name of another script as "
            "xn--."
        )
    return start + slashes + host + quote(rest[len(host) :], safe=_IN_ADDRESSES)


def _led_to(url: str, target: str) -> str:
    try:
        return _quoted(urljoin(url, target.encode("latin-1").decode("utf-8", "replace")))
    except ValueError as error:
        raise HostNotAllowed(f"{_shown(target)!r}, where it was sent on, is no address.") from error


def _origin(url: str) -> tuple[str, str, int | None]:
    return urlsplit(url).scheme, _host(url), urlsplit(url).port


def _host(url: str) -> str:
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018 - asked for, since it raises where it is none
    except ValueError as error:
        raise HostNotAllowed(f"{_shown(url)} is no address.") from error
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise HostNotAllowed(f"{_shown(url)} is no address of http or https.")
    return parts.hostname


def _parsed(headers: Mapping[str, str], body: bytes) -> JsonValue:
    """Return a body of JSON that a result can hold; any other one as text."""
    if "json" in headers.get("content-type", "") and body:
        try:
            parsed: JsonValue = from_json(body, allow_inf_nan=False)
        except ValueError:
            parsed = None
        # As deep as it is inside the result of the step.
        if parsed is not None and json_problem([{"response": {"body": parsed}}]) is None:
            return parsed
        if body.strip() == b"null":
            return None
    return body.decode("utf-8", "replace")


def _shown(url: str) -> str:
    """Return an address without what may be secret in it."""
    return url.partition("?")[0].rpartition("@")[2][:MAX_SHOWN_CHARS]
