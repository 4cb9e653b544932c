"""What became of a command."""

from typing import Annotated

from fastapi import APIRouter, Query, Response
from pydantic import Field

from tracker_service.http_api import schemas
from tracker_service.http_api.context import ExecutionIdInPath
from tracker_service.http_api.query_context import PartsOfApp
from tracker_service.http_api.responses import answer
from tracker_service.http_api.wait_for import MAX_WAIT_MS, Awaited, wait

WaitMs = Annotated[int, Query(ge=0, le=MAX_WAIT_MS, description="0: answer at once.")]


class CommandAnswer(schemas.Answer):
    """What became of a command."""

    command_id: str
    status: str = Field(description="applied, refused, or unknown: not seen yet.")
    execution_id: str | None
    code: str | None = Field(description="Why it was refused, for programs.")
    message: str | None = Field(description="Why it was refused, for people.")


router = APIRouter(prefix="/api", tags=["commands"])


@router.get("/commands/{command_id}", responses=schemas.answers(CommandAnswer))
async def get_command(
    parts: PartsOfApp, command_id: ExecutionIdInPath, timeout_ms: WaitMs = 0
) -> Response:
    """Return whether a command is applied, refused (and why) or not seen yet."""
    satisfied = None
    if timeout_ms:
        first = Awaited(command_id, timeout_ms=timeout_ms)
        satisfied = await wait(parts.model, parts.topic, first)
    freshness = await parts.model.freshness(parts.topic)
    outcome = await parts.model.command(command_id)
    body = {
        "command_id": command_id,
        "status": outcome.status,
        "execution_id": outcome.execution_id,
        "code": outcome.code,
        "message": outcome.message,
    }
    return answer(await parts.masks.shown(body), freshness, satisfied=satisfied)
