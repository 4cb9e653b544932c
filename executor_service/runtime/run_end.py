"""What ends a running execution, or turns it, from outside its flow: a cancel, a limit in time."""

import asyncio
from collections.abc import Callable
from datetime import datetime

from executor_service.engine import completion
from executor_service.engine.compensation import compensating
from executor_service.engine.limits import must_turn, next_limit
from executor_service.ports.runtime import Clock
from executor_service.runtime.human_answers import CancelRequest
from executor_service.runtime.state_machine import StateMachine


class RunEnd:
    """Keeps a cancel request and rings when a limit passes, also while a step runs."""

    def __init__(self, progress: StateMachine, clock: Clock) -> None:
        self._progress = progress
        self._clock = clock
        self._is_limited = progress.state.plan.limits is not None
        self._due: datetime | None = None
        self._sleeping: asyncio.Task[None] | None = None
        self.cancel: CancelRequest | None = None

    def watch(self, ring: Callable[[], None]) -> None:
        """Ring when the next limit passes; its count may have begun only now.

        Nothing but that wait keeps `ring`: it leads back here, and an execution that has ended
        must not have to wait for the collector of cycles.
        """
        if not self._is_limited:
            return
        due = next_limit(self._progress.state)
        if due == self._due and self._sleeping is not None:
            return
        self.close()
        self._due = due
        if due is not None:
            self._sleeping = asyncio.create_task(self._sleep(due, ring))

    def close(self) -> None:
        """Ring no more."""
        if self._sleeping is not None:
            self._sleeping.cancel()
            self._sleeping = None

    def fold(self, cause: str | None) -> None:
        """Fold what follows: the execution's end, or where its deadline leads. Nothing runs now."""
        progress, now = self._progress, self._clock.now()
        if (events := completion.ending(progress.state, now)) is not None:
            progress.fold(events, now, cause)
        elif self.cancel is None and must_turn(progress.state, now):
            progress.turn(now)
        else:
            self._fold_cancellation(now)

    def _fold_cancellation(self, now: datetime) -> None:
        state = self._progress.state
        cancel = self.cancel or CancelRequest(state.cancelling or "", None, None)
        if cancel.compensate and state.done:
            self.cancel = None  # It is on record now; another one gives the compensation up.
            events = compensating(state, None, cancel.reason, cancel.requested_by)
            self._progress.fold(events, now, cancel.cause)
            return
        events = completion.cancelling(state, cancel.reason, cancel.requested_by, now)
        self._progress.fold(events, now, cancel.cause)

    async def _sleep(self, due: datetime, ring: Callable[[], None]) -> None:
        await self._clock.sleep_until(due)
        ring()
