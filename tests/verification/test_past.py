"""As of any moment: rows and log tell how everything stood, exactly.

Property: for every log and every moment, a question about the moment is answered as the events
recorded up to then, and no others, would have it. Judged by an oracle that looks back over those
events, and by a second tracker that was given nothing else. The claims and epochs before a moment
are those of the whole log. Left out: logs whose clock goes back inside one execution, which
executors don't write (tests/executor/log/test_archived_history.py).
"""

import asyncio
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conformance.stores import (
    ReadModelUnderTest,
    new_database,
    parsed,
    postgres_read_model,
)
from tests.tracker.histories import LogEntry
from tests.verification import past_world
from tests.verification.past_world import EntriesLog, moment, stood_by_oracle, tracker_of, up_to
from tests.verification.test_tracker_exactness import Moves
from tests.verification.tracker_world import LOGS, written
from tracker_service.history.as_of import NotThereYet, When, stood
from tracker_service.store.queries import MAX_PAGE_ROWS, ExecutionFilter, PastFilter, Row
from tracker_service.store.sql import as_of_executions

Partitions = Sequence[Sequence[LogEntry]]
Rows = dict[str, dict[str, Any]]
TOLD_BY_ORACLE = ("status", "completed_steps", "failed_steps", "total_steps", "output_data")
Moments = list[int]


async def listed(rows: ReadModelUnderTest, at_ms: int) -> Rows:
    page = await rows.model.past.page(PastFilter(moment(at_ms), limit=MAX_PAGE_ROWS))
    return {row["execution_id"]: parsed(row) for row in page.rows}


def of_the_moment(rows: Rows) -> Rows:
    """Leave out what an unended row tells of its place in the log, which is where it is now."""
    left_out = past_world.NOT_OF_THE_MOMENT
    return {
        name: {key: value for key, value in row.items() if key not in left_out}
        for name, row in rows.items()
    }


def picked(rows: Rows) -> Rows:
    return {name: {key: row[key] for key in TOLD_BY_ORACLE} for name, row in rows.items()}


async def judge(rows: ReadModelUnderTest, partitions: Partitions, moments: Moments,
                folder: Path) -> None:  # fmt: skip
    for partition, entries in enumerate(partitions):
        await rows.receives(entries, partition)
    for at_ms in moments:
        then = [up_to(entries, moment(at_ms)) for entries in partitions]
        async with tracker_of(then, folder / f"{at_ms}") as tracker:
            await judge_lists(rows, tracker, stood_by_oracle(partitions, moment(at_ms)), at_ms)
            for row in await rows.model.executions(ExecutionFilter(MAX_PAGE_ROWS)):
                await judge_one(rows, tracker, row, When(at=moment(at_ms)), EntriesLog(partitions))


async def judge_lists(rows: ReadModelUnderTest, then: ReadModelUnderTest, expected: Rows,
                      at_ms: int) -> None:  # fmt: skip
    told = await listed(rows, at_ms)
    found = await then.model.executions(ExecutionFilter(MAX_PAGE_ROWS))
    counts = await rows.model.past.counts(moment(at_ms))

    assert picked(told) == picked(expected)
    assert of_the_moment(told) == of_the_moment({r["execution_id"]: parsed(r) for r in found})
    assert counts == Counter(row["status"] for row in expected.values())


async def judge_one(rows: ReadModelUnderTest, then: ReadModelUnderTest, row: Row, when: When,
                    log: EntriesLog) -> None:  # fmt: skip
    name = row["execution_id"]
    expected = await then.model.execution(name)
    if expected is None:
        with pytest.raises(NotThereYet):
            await stood(log, rows.model.past, row, when)
        return
    told = await stood(log, rows.model.past, row, when)
    asked = await then.model.interactions(execution_id=name, pending_only=False)

    assert told.execution == expected | {"incomplete": row["incomplete"]}
    assert list(told.steps) == list(await then.model.steps(name))
    assert list(told.interactions) == list(asked)


def judge_in_sqlite(moves: Moves, moments: Moments) -> None:
    async def run(folder: Path) -> None:
        async with tracker_of([], folder / "all") as rows:
            await judge(rows, written(moves), moments, folder)

    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(run(Path(folder)))


# Histories begin one millisecond after the beginning of time.
MOMENTS = st.lists(st.integers(0, 12), min_size=1, max_size=2, unique=True)


@settings(max_examples=60, deadline=None)
@given(moves=LOGS, moments=MOMENTS)
def test_lists_counts_and_executions_say_how_everything_stood(
    moves: Moves, moments: Moments
) -> None:
    judge_in_sqlite(moves, moments)


@settings(max_examples=8, deadline=None)
@given(moves=LOGS, moments=MOMENTS)
def test_postgres_says_the_same(postgres_server_url: str, moves: Moves, moments: Moments) -> None:
    async def run(folder: Path) -> None:
        async with new_database(postgres_server_url) as url, postgres_read_model(url) as rows:
            await judge(rows, written(moves), moments, folder)

    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(run(Path(folder)))


LOOPED: Moves = [(0, "start", 0, 0, 1), (0, "start", 0, 0, 0), (0, "complete", 0, 0, 0)]
LOOPED += [(0, "start", 0, 0, 1), (0, "fail", 0, 0, 1), (0, "end", 0, 0, 0)]


def test_the_harness_finds_counts_that_see_the_future(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        as_of_executions, "_BEGUN", as_of_executions._BEGUN.replace("v.completed_at <= $1", "true")
    )

    with pytest.raises(AssertionError):
        judge_in_sqlite(LOOPED, [3, 5])


def test_the_harness_finds_a_status_of_now(monkeypatch: pytest.MonkeyPatch) -> None:
    status = as_of_executions._STATUS
    monkeypatch.setattr(
        as_of_executions, "_BEGUN", as_of_executions._BEGUN.replace(status, "e.status")
    )

    with pytest.raises(AssertionError):
        judge_in_sqlite(LOOPED, [3, 5])
