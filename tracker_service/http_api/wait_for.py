"""Read your own writes: wait, bounded, until a command or an offset is in the rows."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Query

from tracker_service.http_api.problems import BadQuestion
from tracker_service.store.read_port import ReadModel

DEFAULT_WAIT_MS = 5_000
MAX_WAIT_MS = 30_000
LONGEST_WAIT_S = MAX_WAIT_MS / 1000
FIRST_POLL_S = 0.005
LONGEST_POLL_S = 0.1
_AT_LEAST = re.compile(r"(\d{1,6}):(\d{1,18})")


@dataclass(frozen=True, slots=True)
class Awaited:
    """What an answer has to show before it is given, and for how long it is waited for."""

    command_id: str | None = None
    offset: tuple[int, int] | None = None
    timeout_ms: int = DEFAULT_WAIT_MS


def awaited(
    wait_for: Annotated[
        str | None,
        Query(
            max_length=200,
            pattern=r"^[^\x00]*$",
            description="Wait until this command is applied or refused.",
        ),
    ] = None,
    at_least: Annotated[
        str | None,
        Query(
            max_length=30,
            pattern=r"^\d{1,6}:\d{1,18}$",
            description="Wait until partition:offset is applied.",
        ),
    ] = None,
    timeout_ms: Annotated[
        int, Query(ge=0, le=MAX_WAIT_MS, description="Bound of the wait.")
    ] = DEFAULT_WAIT_MS,
) -> Awaited:
    """Return what the query asks to wait for."""
    return Awaited(wait_for, None if at_least is None else _offset(at_least), timeout_ms)


AwaitedFirst = Annotated[Awaited, Depends(awaited)]


async def wait(model: ReadModel, topic: str, first: Awaited) -> bool | None:
    """Return whether what was waited for is in the rows; None if nothing was."""
    if first.command_id is None and first.offset is None:
        return None

    async def seen() -> bool:
        command_id, offset = first.command_id, first.offset
        if command_id is not None and (await model.command(command_id)).status == "unknown":
            return False
        return offset is None or (await model.freshness(topic)).applied(*offset)

    return await _until(seen, min(first.timeout_ms / 1000, LONGEST_WAIT_S))


def _offset(at_least: str) -> tuple[int, int]:
    match = _AT_LEAST.fullmatch(at_least)
    if match is None:
        raise BadQuestion(f"at_least takes partition:offset, not {at_least!r}.")
    return int(match[1]), int(match[2])


async def _until(seen: Callable[[], Awaitable[bool]], timeout_s: float) -> bool:
    loop = asyncio.get_running_loop()
    ends_s, pause_s = loop.time() + timeout_s, FIRST_POLL_S
    while not await seen():
        left_s = ends_s - loop.time()
        if left_s <= 0:
            return False
        await asyncio.sleep(min(pause_s, left_s))
        pause_s = min(pause_s * 1.5, LONGEST_POLL_S)
    return True
