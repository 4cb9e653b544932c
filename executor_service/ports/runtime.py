"""What an execution asks of the world around it."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from steplog_contracts.events import Event


class Clock(Protocol):
    """Time, so that a test can move it by hand."""

    def now(self) -> datetime:
        """Return the present, zone-aware, in UTC."""

    def monotonic_s(self) -> float:
        """Return seconds since some fixed moment; never goes back."""

    def reached(self, moment: datetime) -> None:
        """Take note of a time that is on record: `now` is no earlier from here on."""

    async def sleep_until(self, due: datetime) -> None:
        """Return once `now()` has reached `due`; at once if it already has."""


class Recorder(Protocol):
    """Where one execution's events go; bound to that execution.

    `record` returns only when the events are acknowledged, and the execution does nothing that
    depends on them before. It raises `RecordingLost` when this process may no longer write this
    execution: then the execution stops at once and records nothing more.
    """

    async def record(
        self,
        events: Sequence[Event],
        *,
        cause: str | None = None,
        times: Sequence[datetime] | None = None,
    ) -> None:
        """Append the events, in order, as one. `cause` is the command that led to them; `times`,
        given only where events had to wait for others, says when each came about."""


class Randomness(Protocol):
    """Where jitter comes from."""

    def __call__(self) -> float:
        """Return a number from 0.0 up to, not including, 1.0."""
