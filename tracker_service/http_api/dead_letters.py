"""Dead letters: what was set aside and why; their bytes are shown by the command line alone."""

from dataclasses import asdict
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel

from tracker_service.http_api import shapes
from tracker_service.http_api.answers import record
from tracker_service.http_api.asking import Asked
from tracker_service.store.letters import MAX_LISTED

DEFAULT_LETTERS = 100


class LetterShape(BaseModel):
    """One record set aside; `status` is open, parked (behind an open one), applied or skipped."""

    id: int
    topic: str
    partition: int
    offset: int
    execution_id: str | None
    seq: int
    status: str
    code: str
    reason: str
    epoch: int | None
    set_aside_at: datetime
    resolved_at: datetime | None


class LetterPage(shapes.Answer):
    """Dead letters, oldest first."""

    items: list[LetterShape]


router = APIRouter(prefix="/api", tags=["health"])


@router.get("/dead-letters", responses=shapes.answers(LetterPage))
async def list_dead_letters(
    asked: Asked,
    unresolved: Annotated[bool, Query(description="Only open and parked ones.")] = True,
    limit: Annotated[int, Query(ge=1, le=MAX_LISTED)] = DEFAULT_LETTERS,
) -> Response:
    """List dead letters without their bytes."""
    letters = await asked.parts.model.dead_letters(unresolved=unresolved, limit=limit)
    items = [asdict(letter) for letter in letters]
    for item in items:
        del item["record"]
    return asked.answer({"items": [record(item) for item in items]})
