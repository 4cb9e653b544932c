"""The rows equal those of one clean pass, whatever happens on the way.

Property: for any log, and any course of deliveries (repeated, torn apart, in any order across
partitions, to either of two workers, broken off before any statement of a transaction), the rows
say at the end what the oracle reads off the whole log. Left out here because covered elsewhere: a
real broker and its rebalances (tests/integration/test_tracker_faults.py), PostgreSQL's own
transactions (tests/conformance runs the same rows there).
"""

import asyncio
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings

from tests.conformance.stores import sqlite_read_model
from tests.tracker.histories import LogEntry
from tests.verification.tracker_oracle import Rows, expected_rows
from tests.verification.tracker_world import (
    DELIVERIES,
    LOGS,
    Breaking,
    Tracker,
    actual_rows,
    rows_file,
    written,
)
from tracker_service.projections import step_fold
from tracker_service.store.sqlite import store as sqlite_store

Moves = list[tuple[int, str, int, int, int]]
Deliveries = list[tuple[int, int, int, int, int]]


async def deliver_all(partitions: list[list[LogEntry]], course: Deliveries, folder: Path) -> Rows:
    """Run a course of deliveries, then deliver what is left, and return the rows."""
    async with sqlite_read_model(rows_file(folder)) as rows:
        database = rows.store.database  # type: ignore[attr-defined]
        connection = Breaking(database._connection)
        database._connection = connection
        tracker = Tracker(rows, connection)
        for partition, worker, back, count, crash in course:
            start = max(0, await tracker.position(partition) + back)
            run = partitions[partition][start : start + count]
            if run:
                await tracker.deliver(worker, partition, run, crash)
        for partition, entries in enumerate(partitions):
            await tracker.deliver(0, partition, entries, 0)
            if await tracker.position(partition) < len(entries):
                await tracker.deliver(0, partition, entries, 0)
        names = {(entry.key or b"").decode() for entries in partitions for entry in entries}
        return await actual_rows(rows, names)


def judge(moves: Moves, course: Deliveries) -> tuple[Rows, Rows]:
    """Return the rows there are and the rows there must be."""
    partitions = written(moves)
    with tempfile.TemporaryDirectory() as folder:
        actual = asyncio.run(deliver_all(partitions, course, Path(folder)))
    return actual, expected_rows(partitions)


SCHEDULED_WHILE_WAITING: Moves = [
    (0, move, 0, 0, 0) for move in ("start", "start", "start", "wait", "schedule")
]


@settings(max_examples=120, deadline=None)
@example(moves=SCHEDULED_WHILE_WAITING, course=[])
@given(moves=LOGS, course=DELIVERIES)
def test_rows_are_those_of_one_clean_pass(moves: Moves, course: Deliveries) -> None:
    actual, expected = judge(moves, course)

    assert actual == expected


COMPLETING: Moves = [(0, "start", 0, 0, 0), (0, "start", 0, 0, 0), (0, "complete", 0, 0, 0)]


def forget_to_claim(monkeypatch: pytest.MonkeyPatch) -> None:
    """Plant a store that writes rows although the position is elsewhere."""
    monkeypatch.setattr(
        sqlite_store, "_CLAIM", sqlite_store._CLAIM.replace("next_offset = :before", "true")
    )


def count_every_visit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Plant a fold that counts a step again at each visit."""
    real = step_fold.close_visit

    def close(state: Any, visit: Any, *rest: Any) -> None:
        real(state, visit, *rest)
        state.completed_steps += visit.iteration > 1

    monkeypatch.setattr(step_fold, "close_visit", close)


def test_the_harness_finds_a_fold_that_counts_visits(monkeypatch: pytest.MonkeyPatch) -> None:
    count_every_visit(monkeypatch)
    looped = [*COMPLETING, (0, "complete", 0, 0, 1)]

    actual, expected = judge(looped, [])

    assert actual != expected


def test_the_harness_finds_a_store_without_compare_and_set(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A worker that lost the partition moves the position back and repeats what poison parked."""
    forget_to_claim(monkeypatch)
    moves: Moves = [(0, "start", 0, 0, 0), (0, "start", 0, 0, 0), (0, "wait", 0, 0, 0)]
    moves += [(0, "complete", 0, 0, 0), (0, "wait", 0, 1, 0)]
    course: Deliveries = [(0, 1, 0, 3, 0), (0, 0, 0, 9, 0), (0, 1, -9, 4, 0)]

    actual, expected = judge(moves, course)

    assert actual != expected
