"""The FastAPI application over a read model."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from tracker_service.events_log import EventsLog
from tracker_service.http_api import (
    commands,
    events,
    executions,
    health,
    interactions,
    past,
    problems,
)
from tracker_service.http_api.past import Past
from tracker_service.store.reading import ReadModel


def make_app(model: ReadModel, topic: str, log: EventsLog | None = None) -> FastAPI:
    """Return the application; it closes the read model when it ends.

    Without a log it can't show events, and tells of the past what the rows know.
    """

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        yield
        await model.close()

    app = FastAPI(title="steplog", version="1", lifespan=lifespan)
    problems.install(app)
    past_answers = Past(model, topic, log)
    app.include_router(executions.routes(model, topic, past_answers))
    app.include_router(past.routes(past_answers))
    app.include_router(events.routes(model, topic, log))
    for module in (commands, interactions, health):
        app.include_router(module.routes(model, topic))
    return app
