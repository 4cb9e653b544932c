"""Questions to people."""

from typing import Annotated

from fastapi import APIRouter, Query, Response

from tracker_service.http_api import schemas
from tracker_service.http_api.context import ExecutionIdInPath
from tracker_service.http_api.filters import Text
from tracker_service.http_api.problems import NotFound
from tracker_service.http_api.query_context import Asked
from tracker_service.http_api.responses import record

MAX_QUESTIONS = 500

router = APIRouter(prefix="/api", tags=["interactions"])


@router.get("/interactions", responses=schemas.answers(schemas.InteractionPage))
async def list_interactions(
    asked: Asked,
    execution_id: Annotated[str | None, Text] = None,
    pending_only: bool = True,
    limit: Annotated[int, Query(ge=1, le=MAX_QUESTIONS)] = 100,
) -> Response:
    """List questions to people, oldest first; by default those that wait for an answer."""
    rows = await asked.parts.model.interactions(
        execution_id=execution_id, pending_only=pending_only, limit=limit
    )
    items = [record(row) for row in rows]
    return await asked.answer({"items": items})


@router.get(
    "/interactions/{interaction_id}", responses=schemas.answers(schemas.OneInteraction, 404)
)
async def get_interaction(asked: Asked, interaction_id: ExecutionIdInPath) -> Response:
    """Return one question to a person."""
    row = await asked.parts.model.interaction(interaction_id)
    if row is None:
        raise NotFound(
            f"There is no interaction {interaction_id}; `steplog waits ID` lists those of an "
            "execution."
        )
    return await asked.answer({"interaction": record(row)})
