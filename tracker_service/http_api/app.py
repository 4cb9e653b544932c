"""The FastAPI application over a read model."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from tracker_service.http_api import commands, executions, health, interactions, problems
from tracker_service.store.reading import ReadModel


def make_app(model: ReadModel, topic: str) -> FastAPI:
    """Return the application; it closes the read model when it ends."""

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        yield
        await model.close()

    app = FastAPI(title="steplog", version="1", lifespan=lifespan)
    problems.install(app)
    for module in (executions, commands, interactions, health):
        app.include_router(module.routes(model, topic))
    return app
