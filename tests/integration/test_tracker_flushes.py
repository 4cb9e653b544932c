"""Batches of several partitions in one statement: all or none, and never more than is known."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from tests.tracker.histories import History, Log, LogEntry
from tracker_service.projector.projector import Projector
from tracker_service.projector.store_retry import Pacing, StoppedWaiting
from tracker_service.store.postgres.store import PostgresStore

TOPIC = "t.events"
PARTITIONS = 4


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return the partitions of steps that had to be written in a transaction of their own."""
    seen: list[int] = []
    original = PostgresStore._write_in_steps

    async def noting(self: PostgresStore, step: object) -> bool:
        seen.append(step.partition)  # type: ignore[attr-defined]
        return await original(self, step)  # type: ignore[arg-type]

    monkeypatch.setattr(PostgresStore, "_write_in_steps", noting)
    return seen


@pytest.fixture
async def store(postgres_url: str, alone: list[int]) -> AsyncIterator[PostgresStore]:
    """Return an open store in an empty database."""
    assert alone == []
    store = PostgresStore(postgres_url)
    await store.open()
    yield store
    await store.close()


def a_worker(store: PostgresStore) -> Projector:
    """Return a worker that remembers nothing."""
    return Projector(store, TOPIC, Pacing(lambda: True))


def halves(partition: int) -> tuple[list[LogEntry], list[LogEntry]]:
    """Return a partition's log in two runs, cut in the middle of a step."""
    entries = Log().append(History(f"e-{partition}").whole(steps=3))
    return entries[:4], entries[4:]


async def applied(projector: Projector, runs: dict[int, list[LogEntry]]) -> None:
    """Apply a run in each partition at the same time."""
    await asyncio.gather(*(projector.apply(p, run) for p, run in runs.items()))


async def outcome(store: PostgresStore) -> list[tuple[str, str, int]]:
    """Return what the rows say: execution, status, completed visits."""
    rows = await store.pool.fetch(
        "SELECT execution_id, status, (SELECT count(*) FROM step_executions AS s WHERE "
        "s.execution_id = e.execution_id AND s.status = 'completed') AS steps "
        "FROM pipeline_executions AS e ORDER BY execution_id"
    )
    return [tuple(row) for row in rows]


ALL_DONE = [(f"e-{p}", "completed", 3) for p in range(PARTITIONS)]


async def test_what_one_worker_knows_is_written_without_a_transaction_of_its_own(
    store: PostgresStore, alone: list[int]
) -> None:
    projector = a_worker(store)
    runs = {p: halves(p) for p in range(PARTITIONS)}
    await projector.start_positions(range(PARTITIONS))

    await applied(projector, {p: run[0] for p, run in runs.items()})
    await applied(projector, {p: run[1] for p, run in runs.items()})

    assert await outcome(store) == ALL_DONE
    assert alone == []


async def test_one_partition_taken_over_holds_up_none_of_the_others(
    store: PostgresStore, alone: list[int]
) -> None:
    runs = {p: halves(p) for p in range(PARTITIONS)}
    late, other = a_worker(store), a_worker(store)
    await late.start_positions(range(PARTITIONS))
    await other.apply(1, [*runs[1][0], *runs[1][1]])

    await applied(late, {p: run[0] for p, run in runs.items()})
    await applied(late, {p: run[1] for p, run in runs.items()})

    assert await outcome(store) == ALL_DONE
    assert (late.applied.conflicts, alone) == (1, [])


async def test_rows_that_are_not_as_remembered_are_written_all_the_same(
    store: PostgresStore, alone: list[int]
) -> None:
    """A person removed one; what was believed to be an update becomes an insert."""
    projector = a_worker(store)
    runs = {p: halves(p) for p in range(PARTITIONS)}
    await applied(projector, {p: run[0] for p, run in runs.items()})
    await store.pool.execute("DELETE FROM step_executions WHERE execution_id = 'e-2'")

    await applied(projector, {p: run[1] for p, run in runs.items()})

    expected = [row if row[0] != "e-2" else ("e-2", "completed", 2) for row in ALL_DONE]
    assert await outcome(store) == expected
    assert alone == [2]


async def test_what_each_event_changes_is_in_no_index(store: PostgresStore) -> None:
    """So an update stays in its page (HOT) and touches none of the indexes."""
    rows = await store.pool.fetch(
        "SELECT DISTINCT a.attname FROM pg_index AS i JOIN pg_depend AS d "
        "ON d.objid = i.indexrelid AND d.refobjid = i.indrelid AND d.refobjsubid > 0 "
        "JOIN pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = d.refobjsubid "
        "WHERE i.indrelid IN ('pipeline_executions'::regclass, 'step_executions'::regclass)"
    )

    indexed = {row["attname"] for row in rows}
    assert {"execution_id", "started_at", "status", "ended_offset"} < indexed
    assert not indexed & {"seq", "log_offset", "total_steps", "completed_steps", "failed_steps"}
    assert not indexed & {"current_step", "incomplete", "attempt", "retry_count", "interaction_id"}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("UPDATE read_model SET projection_version = 77", "made by projection version 77"),
        ("INSERT INTO schema_migrations VALUES (9999, 'later.sql')", "schema has version 9999"),
    ],
)
async def test_a_worker_at_work_writes_nothing_into_rows_of_another_version(
    store: PostgresStore, change: str, said: str
) -> None:
    """A newer tracker rebuilt or migrated them, which gives positions a new generation."""
    projector = a_worker(store)
    first, second = halves(0)
    await projector.apply(0, first)
    await store.pool.execute(change)
    await store.pool.execute("UPDATE projection_positions SET generation = generation + 1")

    with pytest.raises(StoppedWaiting, match=said):
        await projector.apply(0, second)

    assert await outcome(store) == [("e-0", "running", 1)]
