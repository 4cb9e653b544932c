"""How long a client waits where a server asks it to come again later.

A server that is busy (429) or can't answer now (503) says so with `Retry-After`. A client obeys as
long as that fits into its own bound; what it repeats has the effect of once.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

import httpx

# In all for one question. A person waits that long for an answer, then wants to know why.
PATIENCE_S: Final = 5.0
LEAST_WAIT_S: Final = 0.05
COME_AGAIN: Final = frozenset({httpx.codes.TOO_MANY_REQUESTS, httpx.codes.SERVICE_UNAVAILABLE})

Ask = Callable[[], Awaitable[httpx.Response]]


async def patiently(ask: Ask, patience_s: float = PATIENCE_S) -> httpx.Response:
    """Return an answer; one that says when to come again only where that is too far off."""
    ends_s = time.monotonic() + patience_s
    while True:
        response = await ask()
        wait_s = wait_of(response.status_code, response.headers, datetime.now(UTC))
        if wait_s is None or time.monotonic() + wait_s > ends_s:
            return response
        await asyncio.sleep(wait_s)


def wait_of(status: int, headers: Mapping[str, str], now: datetime) -> float | None:
    """Return for how many seconds an answer says to wait, None if it does not."""
    told = headers.get("Retry-After", "").strip()
    if status not in COME_AGAIN or not told:
        return None
    if told.isascii() and told.isdecimal():
        return max(LEAST_WAIT_S, float(told))
    try:
        due = parsedate_to_datetime(told)
    except ValueError:
        return None
    due = due if due.tzinfo is not None else due.replace(tzinfo=UTC)
    return max(LEAST_WAIT_S, (due - now).total_seconds())
