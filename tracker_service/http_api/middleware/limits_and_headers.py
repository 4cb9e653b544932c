"""Bounds on each request, and what browsers are told of each answer."""

import asyncio
from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tracker_service.http_api.problems import TooLarge, of_error, problem

# What a body may have beside the command in it; no route takes more.
BODY_ROOM_BYTES: Final = 60_000
# The longest wait granted (30 s), and the questions to the database around it.
REQUEST_TIMEOUT_S: Final = 60.0
# Data is no page: nothing in it may load, run or be framed.
DATA_POLICY: Final = "default-src 'none'; frame-ancestors 'none'"
PAGE_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "font-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'"
)
_HEADERS: Final = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}


class Bounds:
    """Holds a request to its size and time, and gives its answer the headers of safety."""

    def __init__(self, app: ASGIApp, max_command_bytes: int) -> None:
        self._app = app
        self._max_bytes = max_command_bytes + BODY_ROOM_BYTES

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        exchange = _Exchange(receive, send, self._max_bytes)
        length = Headers(scope=scope).get("content-length", "")
        if length.isdigit() and int(length) > self._max_bytes:
            # Refused before it is read; the connection ends with it.
            await of_error(_too_large(self._max_bytes))(scope, receive, exchange.send)
            return
        try:
            async with asyncio.timeout(REQUEST_TIMEOUT_S) as exchange.timeout:
                await self._app(scope, exchange.receive, exchange.send_unless_too_large)
            if exchange.too_large:
                # Whatever the route made of a body cut short, this is the answer.
                await of_error(_too_large(self._max_bytes))(scope, receive, exchange.send)
        except TimeoutError:
            if exchange.begun:
                raise
            sentence = f"No answer was ready within {REQUEST_TIMEOUT_S:.0f} s; ask for less."
            await problem(503, sentence)(scope, receive, exchange.send)


class _Exchange:
    """Counts what comes in and marks what goes out."""

    def __init__(self, receive: Receive, send: Send, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._receive = receive
        self._send = send
        self._received_bytes = 0
        self.begun = False
        self.too_large = False
        self.timeout: asyncio.Timeout | None = None

    async def receive(self) -> Message:
        """Receive a part of the body; raises `TooLarge` beyond the bound."""
        message = await self._receive()
        self._received_bytes += len(message.get("body", b""))
        if self._received_bytes > self._max_bytes:
            self.too_large = not self.begun
            raise _too_large(self._max_bytes)
        return message

    async def send_unless_too_large(self, message: Message) -> None:
        """Send a part of the answer, unless another answer is due."""
        if not self.too_large:
            await self.send(message)

    async def send(self, message: Message) -> None:
        """Send a part of the answer."""
        if message["type"] == "http.response.start":
            self.begun = True
            headers = MutableHeaders(scope=message)
            kind = headers.get("content-type", "")
            for name, value in _HEADERS.items():
                headers.setdefault(name, value)
            policy = PAGE_POLICY if kind.startswith("text/html") else DATA_POLICY
            headers.setdefault("Content-Security-Policy", policy)
            if kind.startswith("text/event-stream") and self.timeout is not None:
                self.timeout.reschedule(None)
        await self._send(message)


def _too_large(max_bytes: int) -> TooLarge:
    return TooLarge(
        f"The body is larger than {max_bytes} bytes; put what is large where steps can read it, "
        "such as a file or a bucket, and give its address."
    )
