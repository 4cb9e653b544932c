"""What became of a command."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Response

from tracker_service.http_api.answers import answer
from tracker_service.http_api.waiting import MAX_WAIT_MS, wait
from tracker_service.store.reading import ReadModel

CommandId = Annotated[str, Path(max_length=200)]
WaitMs = Annotated[int, Query(ge=0, le=MAX_WAIT_MS, description="0: answer at once.")]


def routes(model: ReadModel, topic: str) -> APIRouter:
    """Return the routes over a read model."""
    router = APIRouter(prefix="/api", tags=["commands"])

    @router.get("/commands/{command_id}")
    async def get_command(command_id: CommandId, timeout_ms: WaitMs = 0) -> Response:
        """Return whether a command is applied, refused (and why) or not seen yet."""
        satisfied = None
        if timeout_ms:
            satisfied = await wait(model, topic, command_id, None, timeout_ms)
        freshness = await model.freshness(topic)
        outcome = await model.command(command_id)
        body = {
            "command_id": command_id,
            "status": outcome.status,
            "execution_id": outcome.execution_id,
            "code": outcome.code,
            "message": outcome.message,
        }
        return answer(body, freshness, satisfied=satisfied)

    return router
