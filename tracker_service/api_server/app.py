"""The FastAPI application over a read model."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final

from fastapi import Depends, FastAPI
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.gzip import GZipMiddleware

from tracker_service.http_api import problems
from tracker_service.http_api.context import Parts, Protection
from tracker_service.http_api.known_parameters import known_parameters
from tracker_service.http_api.middleware.auth import Door
from tracker_service.http_api.middleware.limits_and_headers import Bounds
from tracker_service.http_api.routes import (
    api_docs,
    command_outcomes,
    commands,
    dead_letters,
    events,
    execution_details,
    executions,
    health,
    interactions,
    legacy,
    payloads,
    session,
    statistics,
    streams,
)
from tracker_service.log.command_sink import CommandSink
from tracker_service.log.events_log import EventsLog
from tracker_service.payload_reader import NoReader, PayloadReader
from tracker_service.store.read_port import ReadModel
from tracker_service.web import mount

GZIP_FROM_BYTES: Final = 2_000
GZIP_LEVEL: Final = 3  # JSON of rows shrinks to a fifth already; more costs CPU and gains little.
EXPOSED_HEADERS: Final = (
    "ETag",
    "Location",
    "Retry-After",
    "Steplog-Command-Id",
    "Steplog-Gap",
    "Steplog-Lag-Seconds",
    "Steplog-Position",
)
_ROUTES: Final = (
    streams,  # Before executions: `stream` is no execution's id there.
    executions,
    execution_details,
    payloads,
    events,
    statistics,
    commands,
    command_outcomes,
    interactions,
    dead_letters,
    session,
    legacy,
    api_docs,
    health,
)


def make_app(
    model: ReadModel,
    topic: str,
    log: EventsLog | None = None,
    reader: PayloadReader | None = None,
    commands: CommandSink | None = None,
    protection: Protection | None = None,
    trouble: Callable[[], str | None] | None = None,
) -> FastAPI:
    """Return the application; it closes the read model when it ends.

    Without a log it can't show events, and tells of the past what the rows know; without a reader
    it can't hand out values that are stored apart; without a sink it takes no commands. Without
    protection anybody may ask, as in one process. `trouble` says what else in this process keeps it
    from being ready.
    """

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        yield
        await parts.feed.close()
        await model.close()

    protection = protection or Protection()
    parts = Parts(model, topic, log, reader or NoReader(), commands, protection, trouble)
    app = FastAPI(title="steplog", version="1", lifespan=lifespan, docs_url=None, redoc_url=None)
    problems.install(app)
    app.state.parts = parts
    _surround(app, protection)
    for module in _ROUTES:
        app.include_router(module.router, dependencies=[Depends(known_parameters)])
    app.state.routes = [route for module in _ROUTES for route in module.router.routes]
    mount.install(app)
    return app


def _surround(app: FastAPI, protection: Protection) -> None:
    """Put around the routes what every request passes; what is added last comes first."""
    app.add_middleware(GZipMiddleware, minimum_size=GZIP_FROM_BYTES, compresslevel=GZIP_LEVEL)
    app.add_middleware(Door, policy=protection.policy, rate_per_s=protection.rate_per_s)
    if protection.policy.origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=protection.policy.origins,
            allow_methods=["GET", "POST", "DELETE"],
            allow_headers=["Authorization", "Content-Type", "Idempotency-Key", "If-None-Match"],
            expose_headers=EXPOSED_HEADERS,
        )
    app.add_middleware(Bounds, max_command_bytes=protection.max_command_bytes)
