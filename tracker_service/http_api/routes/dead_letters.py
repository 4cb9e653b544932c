"""Dead letters: what was set aside and why; its bytes for admins alone, since no mask fits them."""

import base64
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Response
from pydantic import BaseModel

from steplog_contracts.envelope import format_time
from tracker_service.http_api import schemas
from tracker_service.http_api.middleware.caller import Admin
from tracker_service.http_api.query_context import Asked
from tracker_service.store.dead_letters import MAX_LISTED, Letter

DEFAULT_LETTERS = 100

router = APIRouter(prefix="/api/dead-letters", tags=["health"])


class LetterShape(BaseModel):
    """A record set aside; `open` is at fault, `parked` stands behind one of its execution."""

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


class LetterPage(schemas.Answer):
    """Dead letters, oldest first."""

    items: list[LetterShape]


class LetterWithBytes(LetterShape):
    """A dead letter with its record, byte for byte in base64."""

    key: str | None
    value: str | None
    headers: list[tuple[str, str | None]]


class OneLetter(schemas.Answer):
    """One dead letter."""

    dead_letter: LetterWithBytes


@router.get("", responses=schemas.answers(LetterPage))
async def list_dead_letters(
    asked: Asked,
    unresolved: Annotated[bool, Query(description="Only open and parked ones.")] = True,
    limit: Annotated[int, Query(ge=1, le=MAX_LISTED)] = DEFAULT_LETTERS,
) -> Response:
    """List records set aside, oldest first, without their bytes."""
    letters = await asked.parts.model.dead_letters(unresolved=unresolved, limit=limit)
    return await asked.answer({"items": [_told(letter) for letter in letters]})


@router.get("/{letter_id}", responses=schemas.answers(OneLetter, 404))
async def get_dead_letter(
    asked: Asked, _caller: Admin, letter_id: Annotated[int, Path(ge=1, le=2**63 - 1)]
) -> Response:
    """Return one record set aside, with its bytes; for admins."""
    letter = await asked.parts.model.dead_letter(letter_id)
    record = letter.record
    assert record is not None, "one letter comes with its record"
    told = {
        **_told(letter),
        "key": _base64(record.key),
        "value": _base64(record.value),
        "headers": [(name, _base64(value)) for name, value in record.headers],
    }
    return await asked.answer({"dead_letter": told})


def _told(letter: Letter) -> dict[str, Any]:
    told = {name: getattr(letter, name) for name in LetterShape.model_fields}
    told["set_aside_at"] = format_time(letter.set_aside_at)
    told["resolved_at"] = letter.resolved_at and format_time(letter.resolved_at)
    return told


def _base64(value: bytes | None) -> str | None:
    return None if value is None else base64.b64encode(value).decode()
