"""Waiting for a database to come back, without ever outliving the order to stop."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import structlog

from tracker_service.projections.errors import TrackerError
from tracker_service.store.errors import StoreError, StoreRefused, StoreUnavailable

log = structlog.get_logger(__name__)

FIRST_WAIT_S = 0.05
LONGEST_WAIT_S = 2.0
# Between two log lines about the same outage.
QUIET_S = 10.0

ResultT = TypeVar("ResultT")


class StoppedWaiting(TrackerError):
    """The process is to stop while a batch can't be written; it will be read again."""


class Pacing:
    """Repeats a call to the store until it succeeds or the process is to stop.

    `stopping` is asked before each wait. Sleep and clock are given, so that tests do not wait.
    """

    def __init__(
        self,
        stopping: Callable[[], bool],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._stopping = stopping
        self._sleep = sleep
        self._waiting = 0
        self._reason = ""

    @property
    def waiting(self) -> bool:
        """Whether any call is waiting for the store to come back."""
        return self._waiting > 0

    @property
    def trouble(self) -> str | None:
        """Why calls are waiting, None while none is."""
        return self._reason if self._waiting else None

    async def persist(self, call: Callable[[], Awaitable[ResultT]], aim: str) -> ResultT:
        """Return what the call returns, however often it takes.

        Raises:
            StoppedWaiting: the process is to stop and the store still can't.
            RowsRejected: the store will never take these rows.
        """
        try:
            return await call()
        except (StoreUnavailable, StoreRefused) as error:
            self._waiting += 1
            try:
                return await self._repeat(call, aim, error)
            finally:
                self._waiting -= 1

    async def _repeat(
        self, call: Callable[[], Awaitable[ResultT]], aim: str, error: StoreError
    ) -> ResultT:
        wait_s, waited_s, quiet_until_s = FIRST_WAIT_S, 0.0, 0.0
        while True:
            if self._stopping():
                raise StoppedWaiting(
                    f"Stopping while the read model can't {aim}: {error}"
                ) from error
            self._reason = str(error)
            if waited_s >= quiet_until_s:
                quiet_until_s = waited_s + QUIET_S
                log.warning("the read model is away", aim=aim, reason=self._reason)
            await self._sleep(wait_s)
            waited_s += wait_s
            wait_s = min(wait_s * 2, LONGEST_WAIT_S)
            try:
                return await call()
            except (StoreUnavailable, StoreRefused) as again:
                error = again
