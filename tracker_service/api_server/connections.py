"""How a connection is held to its time, and how many there may be: below everything HTTP.

uvicorn waits for a request's head as long as a client likes. A few hundred connections that never
send one would then use up the process's file descriptors and shut everybody out.
"""

import asyncio
import resource
from typing import Any, Final, Literal

import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.h11_impl import H11Protocol

# From the first byte, or the connection, to the end of a request's head.
HEAD_TIMEOUT_S: Final = 10.0
# Descriptors left for the database, the log, files and what listens.
RESERVED_DESCRIPTORS: Final = 40
MIN_CONNECTIONS: Final = 8
MAX_REQUESTS_AT_ONCE: Final = 1_000
SHUTDOWN_TIMEOUT_S: Final = 5


def server_config(
    app: FastAPI,
    *,
    max_streams: int,
    trusted_proxies: str = "",
    lifespan: Literal["auto", "off"] = "auto",
) -> uvicorn.Config:
    """Return how an API is served, by a process of its own and in embedded mode alike.

    Args:
        app: the application.
        max_streams: how many event streams may be open besides other requests.
        trusted_proxies: addresses whose X-Forwarded-* headers are believed; nobody's by default.
        lifespan: off where somebody else closes what the application uses.
    """
    return uvicorn.Config(
        app,
        http=TimedConnection,
        log_config=None,
        access_log=False,
        server_header=False,
        lifespan=lifespan,
        proxy_headers=bool(trusted_proxies),
        forwarded_allow_ips=trusted_proxies or None,
        # Beyond it uvicorn answers 503 by itself, before anything waits for the database.
        limit_concurrency=max_streams + MAX_REQUESTS_AT_ONCE,
        timeout_graceful_shutdown=SHUTDOWN_TIMEOUT_S,
    )


def max_connections() -> int:
    """Return how many connections this process can have without running out of descriptors."""
    soft, _hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        soft = 1 << 20
    return max(soft - RESERVED_DESCRIPTORS, MIN_CONNECTIONS)


class TimedConnection(H11Protocol):
    """A connection that ends where no whole head of a request comes within `HEAD_TIMEOUT_S`."""

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self._head_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        """Begin to wait for a head, unless there are too many connections already."""
        super().connection_made(transport)
        if len(self.connections) > max_connections():
            transport.abort()
            return
        self._wait_for_head()

    def data_received(self, data: bytes) -> None:
        """Take bytes; the next head has its time from its first byte on."""
        if not self._answers:
            self._wait_for_head()
        super().data_received(data)
        if self._answers:
            self._stop_waiting()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait for nothing any more."""
        self._stop_waiting()
        super().connection_lost(exc)

    @property
    def _answers(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _wait_for_head(self) -> None:
        if self._head_timer is None:
            self._head_timer = self.loop.call_later(HEAD_TIMEOUT_S, self._end)

    def _stop_waiting(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _end(self) -> None:
        self._head_timer = None
        if not self._answers and not self.transport.is_closing():
            self.transport.abort()
