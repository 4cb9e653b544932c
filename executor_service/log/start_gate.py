"""Holds back what starts more work while the group may be about to give a partition away.

A partition that moves while its owner lives should not cost a second run of what runs just then:
so the owner lets running steps end, records what they did, and starts nothing more until it knows.
"""

import asyncio


class StartGate:
    """Open unless told otherwise; opens by itself, so that a group in trouble stops no work."""

    def __init__(self) -> None:
        self._opened: asyncio.Event | None = None
        self._timer: asyncio.TimerHandle | None = None

    @property
    def held(self) -> bool:
        """Whether starts wait."""
        return self._opened is not None

    def hold(self, at_most_s: float) -> None:
        """Let starts wait from now on; holding again begins the time anew."""
        if self._opened is None:
            self._opened = asyncio.Event()
        self._stop_timer()
        self._timer = asyncio.get_running_loop().call_later(at_most_s, self.open)

    def open(self) -> None:
        """Let everything go on that waits."""
        self._stop_timer()
        if self._opened is not None:
            self._opened.set()
            self._opened = None

    async def wait(self) -> None:
        """Return once starts may be recorded."""
        if self._opened is not None:
            await self._opened.wait()

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
