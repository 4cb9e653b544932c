"""Waiting out a database, and not past the order to stop."""

import pytest

from tracker_service.projector.store_retry import LONGEST_WAIT_S, Pacing, StoppedWaiting
from tracker_service.store.errors import RowsRejected, StoreUnavailable


class Database:
    """Is away for a number of calls."""

    def __init__(self, away: int) -> None:
        self.away = away
        self.calls = 0

    async def call(self) -> str:
        """Answer once it is back."""
        self.calls += 1
        if self.calls <= self.away:
            raise StoreUnavailable("away")
        return "done"


class Sleeper:
    """Notes waits instead of waiting."""

    def __init__(self) -> None:
        self.waits: list[float] = []

    async def __call__(self, seconds: float) -> None:
        """Note one wait."""
        self.waits.append(seconds)


async def test_a_call_is_repeated_with_growing_bounded_waits() -> None:
    database, sleep = Database(away=9), Sleeper()

    result = await Pacing(lambda: False, sleep).persist(database.call, "write")

    assert (result, database.calls) == ("done", 10)
    assert sleep.waits[:3] == [0.05, 0.1, 0.2]
    assert max(sleep.waits) == LONGEST_WAIT_S


async def test_an_order_to_stop_ends_the_wait_but_not_a_call_that_succeeds() -> None:
    """What can be written is written; only waiting ends."""
    assert await Pacing(lambda: True, Sleeper()).persist(Database(away=0).call, "write") == "done"
    with pytest.raises(StoppedWaiting, match="can't write"):
        await Pacing(lambda: True, Sleeper()).persist(Database(away=1).call, "write")


async def test_rejected_rows_are_not_tried_again() -> None:
    calls = []

    async def rejected() -> None:
        calls.append(1)
        raise RowsRejected("never")

    with pytest.raises(RowsRejected):
        await Pacing(lambda: False, Sleeper()).persist(rejected, "write")
    assert calls == [1]


async def test_trouble_is_told_from_the_first_failure_to_the_first_success() -> None:
    told: list[str | None] = []

    async def sleep(_seconds: float) -> None:
        told.append(pacing.trouble)

    pacing = Pacing(lambda: False, sleep)

    await pacing.persist(Database(away=2).call, "write")

    assert told == ["away", "away"]
    assert pacing.trouble is None
