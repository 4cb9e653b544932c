"""The FastAPI application over a read model."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from fastapi import FastAPI
from starlette.middleware.gzip import GZipMiddleware

from tracker_service.command_sink import CommandSink
from tracker_service.events_log import EventsLog
from tracker_service.http_api import (
    commands,
    dead_letters,
    events,
    executions,
    health,
    histories,
    interactions,
    payloads,
    problems,
    requests,
    statistics,
    streams,
)
from tracker_service.http_api.parts import Parts
from tracker_service.payload_reader import NoReader, PayloadReader
from tracker_service.store.reading import ReadModel
from tracker_service.web import site

GZIP_FROM_BYTES: Final = 2_000
GZIP_LEVEL: Final = 3  # JSON of rows shrinks to a fifth already; more costs CPU and gains little.
_ROUTES: Final = (
    streams,  # Before executions: `stream` is no execution's id there.
    executions,
    histories,
    payloads,
    events,
    statistics,
    requests,
    commands,
    interactions,
    dead_letters,
    health,
)


def make_app(
    model: ReadModel,
    topic: str,
    log: EventsLog | None = None,
    reader: PayloadReader | None = None,
    commands: CommandSink | None = None,
) -> FastAPI:
    """Return the application; it closes the read model when it ends.

    Without a log it can't show events, and tells of the past what the rows know; without a reader
    it can't hand out values that are stored apart; without a sink it takes no commands.
    """

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        yield
        await parts.feed.close()
        await model.close()

    parts = Parts(model, topic, log, reader or NoReader(), commands)
    app = FastAPI(title="steplog", version="1", lifespan=lifespan)
    problems.install(app)
    payloads.install(app)
    app.state.parts = parts
    app.add_middleware(GZipMiddleware, minimum_size=GZIP_FROM_BYTES, compresslevel=GZIP_LEVEL)
    for module in _ROUTES:
        app.include_router(module.router)
    site.install(app)
    return app
