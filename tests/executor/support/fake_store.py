"""A payload store in memory that fails when told to, and payloads that use it without threads."""

import asyncio
from collections.abc import Callable
from typing import Any

from executor_service.payload_errors import PayloadMissing, StoreUnavailable
from executor_service.payloads.client import Payloads


class FakeStore:
    """Satisfies `payloads.PayloadStore`."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.is_away = False
        self.puts = 0
        self.gets = 0

    def uri_of(self, sha256: str) -> str:
        """Return a name."""
        return f"memory://{sha256}"

    def put(self, sha256: str, data: bytes) -> None:
        """Keep an object."""
        self.puts += 1
        if self.is_away:
            raise StoreUnavailable("No space is left on the device.")
        self.objects.setdefault(sha256, data)

    def get(self, sha256: str, size_bytes: int) -> bytes:
        """Return an object."""
        self.gets += 1
        if self.is_away:
            raise StoreUnavailable("Nobody answers.")
        if sha256 not in self.objects:
            raise PayloadMissing(f"{sha256} is not there.")
        return self.objects[sha256][: size_bytes + 1]

    def payloads(self, max_inline_bytes: int = 65_536) -> Payloads:
        """Return payloads over this store; pauses are told to `pauses` and take no time."""
        self.pauses: list[float] = []
        return Payloads(self, max_inline_bytes, sleep=self._pause, in_thread=at_once)

    async def _pause(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.while_paused()
        await asyncio.sleep(0)

    def while_paused(self) -> None:
        """Called at each pause; a test may let the store come back."""


async def at_once(work: Callable[[], Any]) -> Any:
    """Do it here and now."""
    return work()
