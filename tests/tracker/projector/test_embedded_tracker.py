"""A tracker in the log's own process: told of each append, complete when asked, fresh meanwhile."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from tests.tracker.histories import History, Log, LogEntry
from tracker_service.projector.embedded_tracker import (
    MAX_BATCH_RECORDS,
    RowsAheadOfLog,
    TailingTracker,
)
from tracker_service.store.sqlite import SqliteReadModel, SqliteStore

TOPIC = "t.events"


class Tail:
    """A log in memory that tells whoever waits; satisfies `LogTail`."""

    def __init__(self) -> None:
        self.log = Log()
        self.reads: list[tuple[int, int]] = []
        self._grown = asyncio.Condition()

    async def append(self, *histories: History) -> None:
        """Append whole histories at once."""
        for history in histories:
            self.log.append(history.whole())
        async with self._grown:
            self._grown.notify_all()

    def end(self) -> int:
        """Return the next offset."""
        return len(self.log.entries)

    async def read(self, start: int, count: int) -> Sequence[LogEntry]:
        """Return a range and note that it was asked for."""
        self.reads.append((start, count))
        return self.log.entries[start : start + count]

    async def grown(self, beyond: int) -> None:
        """Wait for an event there."""
        async with self._grown:
            await self._grown.wait_for(lambda: self.end() > beyond)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    """Return an empty read model."""
    store = SqliteStore(tmp_path / "rows.db")
    await store.open()
    yield store
    await store.close()


@pytest.fixture
async def model(store: SqliteStore, tmp_path: Path) -> AsyncIterator[SqliteReadModel]:
    """Return its reading side."""
    model = SqliteReadModel(tmp_path / "rows.db")
    await model.open()
    yield model
    await model.close()


async def completed(model: SqliteReadModel) -> int:
    """Return how many executions have completed."""
    return int((await model.statistics())["counts"].get("completed", 0))


async def test_what_is_appended_shows_without_anybody_asking(
    store: SqliteStore, model: SqliteReadModel
) -> None:
    tail = Tail()
    tracker = TailingTracker(store, TOPIC, tail)
    await tracker.start()
    running = asyncio.create_task(tracker.run())

    with tracker.changes_of("e-1") as changed, tracker.changes_of("e-2") as other:
        await tail.append(History("e-1"))
        await changed.wait()

    assert await completed(model) == 1
    assert not other.is_set()
    running.cancel()


async def test_catching_up_applies_all_there_is_in_bounded_batches(
    store: SqliteStore, model: SqliteReadModel
) -> None:
    tail = Tail()
    tracker = TailingTracker(store, TOPIC, tail)
    await tail.append(*(History(f"e-{number}") for number in range(1_000)))
    await tracker.start()

    await tracker.catch_up()

    freshness = await model.freshness(TOPIC)
    assert await completed(model) == 1_000
    assert (freshness.tracker, freshness.gap) == ("fresh", 0)
    assert [start for start, _ in tail.reads] == [0, MAX_BATCH_RECORDS]


async def test_the_next_one_begins_where_the_rows_are(
    store: SqliteStore, model: SqliteReadModel
) -> None:
    tail = Tail()
    await tail.append(History("e-1"))
    first, second = TailingTracker(store, TOPIC, tail), TailingTracker(store, TOPIC, tail)
    await first.start()
    await first.catch_up()
    await tail.append(History("e-2"))

    await second.start()
    await second.catch_up()

    assert second.next_offset == tail.end()
    assert await completed(model) == 2
    assert second.projector.applied.events == len(History().whole())


async def test_rows_made_from_events_the_log_lost_are_refused_with_the_remedy(
    store: SqliteStore,
) -> None:
    tail = Tail()
    await tail.append(History("e-1"), History("e-2"))
    before = TailingTracker(store, TOPIC, tail)
    await before.start()
    await before.catch_up()
    del tail.log.entries[2:]

    with pytest.raises(RowsAheadOfLog, match="steplog rebuild"):
        await TailingTracker(store, TOPIC, tail).start()
