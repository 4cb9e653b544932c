"""Read your own writes: wait, bounded, until a command or an offset is in the rows."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import Query

from tracker_service.http_api.problems import BadQuestion
from tracker_service.store.reading import ReadModel

DEFAULT_WAIT_MS = 5_000
MAX_WAIT_MS = 30_000
FIRST_POLL_S = 0.005
LONGEST_POLL_S = 0.1
_AT_LEAST = re.compile(r"^(\d{1,6}):(\d{1,18})$")

WaitFor = Annotated[
    str | None,
    Query(max_length=200, description="Wait until this command is applied or refused."),
]
AtLeast = Annotated[
    str | None,
    Query(max_length=30, description="Wait until partition:offset is applied."),
]
TimeoutMs = Annotated[int, Query(ge=0, le=MAX_WAIT_MS, description="Bound of the wait.")]


async def wait(
    model: ReadModel, topic: str, wait_for: str | None, at_least: str | None, timeout_ms: int
) -> bool | None:
    """Return whether what was waited for is in the rows; None if nothing was."""
    if wait_for is None and at_least is None:
        return None

    async def seen() -> bool:
        if wait_for is not None and (await model.command(wait_for)).status == "unknown":
            return False
        return at_least is None or (await model.freshness(topic)).applied(*_offset(at_least))

    return await _until(seen, timeout_ms / 1000)


def _offset(at_least: str) -> tuple[int, int]:
    match = _AT_LEAST.match(at_least)
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
