"""Questions to people."""

from typing import Annotated

from fastapi import APIRouter, Query, Response

from tracker_service.http_api.answers import answer, record
from tracker_service.store.reading import ReadModel

MAX_QUESTIONS = 500


def routes(model: ReadModel, topic: str) -> APIRouter:
    """Return the routes over a read model."""
    router = APIRouter(prefix="/api", tags=["interactions"])

    @router.get("/interactions")
    async def list_interactions(
        execution_id: Annotated[str | None, Query(max_length=200)] = None,
        pending_only: bool = True,
        limit: Annotated[int, Query(ge=1, le=MAX_QUESTIONS)] = 100,
    ) -> Response:
        """List questions to people, oldest first; by default those that wait for an answer."""
        freshness = await model.freshness(topic)
        rows = await model.interactions(
            execution_id=execution_id, pending_only=pending_only, limit=limit
        )
        return answer({"items": [record(row) for row in rows]}, freshness)

    return router
