"""The API on a port of this machine, in the test's own event loop."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import httpx
from fastapi import FastAPI

from tracker_service.api_server.connections import server_config
from tracker_service.api_server.server import ApiServer, listen
from tracker_service.http_api.live.change_feed import MAX_LISTENERS

PATIENCE_S = 20.0


class _Server(ApiServer):
    """Leaves signals to the tests' own process."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Do nothing."""
        yield


@asynccontextmanager
async def serving(app: FastAPI) -> AsyncIterator[str]:
    """Yield the URL at which the app answers."""
    listening = listen("127.0.0.1", 0)
    config = server_config(app, max_streams=MAX_LISTENERS, lifespan="off")
    server = _Server(config)
    task = asyncio.create_task(server.serve([listening]))
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        server.should_exit = True
        await task


class Stream:
    """The events of one stream, read as they come."""

    def __init__(self, response: httpx.Response) -> None:
        self.response = response
        self._lines = response.aiter_lines()

    async def next(self) -> tuple[str, str, Any]:
        """Return the kind, id and body of the next event; comments are passed over."""
        found: dict[str, str] = {}
        async with asyncio.timeout(PATIENCE_S):
            async for line in self._lines:
                if not line and found:
                    return found["event"], found["id"], json.loads(found["data"])
                name, _, value = line.partition(": ")
                if name:
                    found[name] = value
        raise EOFError("the stream ended")

    async def until(self, kind: str) -> tuple[str, str, Any]:
        """Return the next event of a kind."""
        while (event := await self.next())[0] != kind:
            pass
        return event


@asynccontextmanager
async def stream(url: str, path: str, last_id: str | None = None) -> AsyncIterator[Stream]:
    """Yield an open stream."""
    headers = {} if last_id is None else {"Last-Event-ID": last_id}
    async with (
        httpx.AsyncClient(base_url=url, trust_env=False, timeout=PATIENCE_S) as client,
        client.stream("GET", path, headers=headers) as response,
    ):
        yield Stream(response)
