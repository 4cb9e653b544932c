"""Waiting for a database to come back, without ever outliving the order to stop."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import structlog

from tracker_service.projections.errors import TrackerError
from tracker_service.store.errors import StoreRefused, StoreUnavailable

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

    @property
    def waiting(self) -> bool:
        """Whether any call is waiting for the store to come back."""
        return self._waiting > 0

    async def persist(self, call: Callable[[], Awaitable[ResultT]], aim: str) -> ResultT:
        """Return what the call returns, however often it takes.

        Raises:
            StoppedWaiting: the process is to stop and the store still can't.
            RowsRejected: the store will never take these rows.
        """
        wait_s, waited_s, quiet_until_s = FIRST_WAIT_S, 0.0, 0.0
        while True:
            try:
                return await call()
            except (StoreUnavailable, StoreRefused) as error:
                if self._stopping():
                    raise StoppedWaiting(
                        f"Stopping while the read model can't {aim}: {error}"
                    ) from error
                if waited_s >= quiet_until_s:
                    quiet_until_s = waited_s + QUIET_S
                    log.warning("the read model is away", aim=aim, reason=str(error))
            self._waiting += 1
            try:
                await self._sleep(wait_s)
            finally:
                self._waiting -= 1
            waited_s += wait_s
            wait_s = min(wait_s * 2, LONGEST_WAIT_S)
