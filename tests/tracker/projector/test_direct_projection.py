"""Rows without a log: a program's own events are folded as a worker would fold them."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from steplog_contracts import events
from tracker_service import ExecutionTracker
from tracker_service.projections.errors import Unfoldable
from tracker_service.projector.direct_projection import DirectProjection
from tracker_service.store.errors import StoreRefused
from tracker_service.store.factory import store_for

STARTED = events.ExecutionStarted(
    pipeline_id="p", pipeline_name="P", input={}, total_steps=1, metadata={}
)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.database)])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return an empty database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/a%20b.db"
    url: str = request.getfixturevalue("postgres_url")
    return url


@pytest.fixture
async def projection(url: str) -> AsyncIterator[DirectProjection]:
    """Return a projection over the database."""
    projection = DirectProjection(store_for(url))
    yield projection
    await projection.close()


async def test_programs_that_write_at_once_lose_nothing(url: str) -> None:
    trackers = [ExecutionTracker(url) for _ in range(4)]
    await trackers[0].start_execution("p", "first", {})

    async def run(tracker: ExecutionTracker) -> None:
        for _ in range(5):
            execution_id = await tracker.start_execution("p", "P", {})
            await tracker.update_execution_status(execution_id, "completed", {})

    await asyncio.gather(*(run(tracker) for tracker in trackers))
    counted = await trackers[0].get_execution_statistics()
    for tracker in trackers:
        await tracker.close()

    assert (counted["total_executions"], counted["completed_executions"]) == (21, 20)


async def test_an_event_that_does_not_fit_is_refused_and_changes_nothing(
    projection: DirectProjection, url: str
) -> None:
    await projection.append("e-1", [STARTED], None)

    with pytest.raises(Unfoldable, match="began"):
        await projection.append("e-1", [STARTED], None)
    async with ExecutionTracker(url) as tracker:
        record = await tracker.get_execution("e-1")

    assert record is not None
    assert (record["status"], record["incomplete"]) == ("running", False)


async def test_rows_that_a_log_fills_are_left_alone(url: str) -> None:
    store = store_for(url)
    await store.open()
    await store.positions("steplog.events", [0])
    await store.close()

    with pytest.raises(StoreRefused, match=r"steplog\.events"):
        await ExecutionTracker(url).start_execution("p", "P", {})


def test_rows_in_memory_alone_are_refused() -> None:
    with pytest.raises(StoreRefused, match="name a file"):
        ExecutionTracker("sqlite://")
