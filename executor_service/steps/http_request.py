"""Steps of type `http`: one request, bounded in time and size, to an allowed host."""

import json
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urljoin, urlsplit

import httpcore

from executor_service.errors import HostNotAllowed, HttpFailed, HttpStatusFailed
from executor_service.steps.http_policy import CheckedNetwork, HttpPolicy
from executor_service.steps.step import Step
from steplog_contracts.payload import JsonObject, JsonValue

MAX_REDIRECTS: Final = 5
MAX_SHOWN_CHARS: Final = 300
# Waiting for a connection, or for the next part of an answer; the step's limit bounds them all.
PART_TIMEOUT_S: Final = 20.0
IDEMPOTENCY_HEADER: Final = "idempotency-key"
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_TO_ANOTHER_HOST: Final = frozenset({"authorization", "cookie", "proxy-authorization"})


class HttpRequest(Step):
    """Sends a request and returns `{"response": {"status", "headers", "body"}}`."""

    async def run(self, data: Any) -> Any:  # noqa: ARG002 - what is asked is in its settings
        """Send the request, follow what leads to allowed hosts, and judge the status.

        Raises:
            HostNotAllowed, HttpStatusFailed: trying again would change nothing.
            HttpFailed: no answer, or a status that is worth another try.
        """
        method, url = self.config["method"], str(self.config["url"])
        policy = HttpPolicy.of_environment()
        headers, content = _request(self.config, self.context.idempotency_key)
        async with httpcore.AsyncConnectionPool(network_backend=CheckedNetwork(policy)) as pool:
            for _ in range(MAX_REDIRECTS + 1):
                policy.check(_host(url))
                status, found, body = await self._send(pool, method, url, headers, content)
                target = found.get("location")
                if status not in _REDIRECTS or target is None:
                    return self._judged(status, found, body)
                before, url = url, urljoin(url, target)
                if _host(url) != _host(before) or urlsplit(url).scheme != urlsplit(before).scheme:
                    headers = {k: v for k, v in headers.items() if k not in _TO_ANOTHER_HOST}
                if status in (301, 302, 303) and method != "HEAD":
                    method, content = "GET", None
        raise HttpStatusFailed(f"It was sent on more than {MAX_REDIRECTS} times.")

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
        except (httpcore.NetworkError, httpcore.TimeoutException, httpcore.ProtocolError) as error:
            raise HttpFailed(
                f"{_shown(url)} did not answer: {error or type(error).__name__}."
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
        text = str(value)
        if any(ord(sign) < 32 or ord(sign) > 255 for sign in name + text) or ":" in name:
            raise HttpStatusFailed(f"The header {name!r} has characters that can't be sent.")
        headers[name.lower()] = text
    if content is not None:
        headers["content-length"] = str(len(content))
    return headers, content


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
    kind = headers.get("content-type", "")
    text = body.decode("utf-8", "replace")
    if "json" not in kind or not text:
        return text
    try:
        parsed: JsonValue = json.loads(text)
    except (ValueError, RecursionError):
        return text
    return parsed


def _shown(url: str) -> str:
    """Return an address without what may be secret in it."""
    return url.partition("?")[0].rpartition("@")[2][:MAX_SHOWN_CHARS]
