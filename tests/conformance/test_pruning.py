"""Retention removes whole executions that ended, in small steps, and nothing else."""

from datetime import timedelta

import pytest

from steplog_contracts import events
from steplog_contracts.payload import sha256_of
from tests.conformance.stores import ReadModelUnderTest
from tests.tracker.histories import AN_ERROR, BEGINNING, History, Log, refused
from tracker_service.store import pruning
from tracker_service.store.pruning import PRUNED_TABLES, prune_in_batches

LATER = BEGINNING + timedelta(days=1)
DEFINITION = {"name": "P", "steps": []}
HASH = sha256_of(DEFINITION)


def old(execution_id: str) -> History:
    """An execution that begins before the time of the pruning."""
    return History(execution_id, time=BEGINNING)


async def pruned(rows: ReadModelUnderTest) -> int:
    """Remove what ended before LATER; return how many executions that were."""
    return [removed async for removed in prune_in_batches(rows.store, LATER)][-1]


def with_everything(execution_id: str) -> list[object]:
    """Records of an execution that leaves rows in every table."""
    history = old(execution_id)
    place = {"step_id": "a"}
    failed = events.StepAttemptFailed(**place, error=AN_ERROR, retry_at=BEGINNING)
    asked = events.StepWaiting(**place, attempt=2, interaction_id=f"i-{execution_id}")
    return [
        history.started(definition=DEFINITION, definition_hash=HASH),
        history.record(events.StepStarted(**place)),
        history.record(failed),
        history.record(events.StepStarted(**place, attempt=2)),
        history.record(asked),
        history.record(
            events.StepResumed(**place, interaction_id=f"i-{execution_id}"),
            cause=f"c-{execution_id}",
        ),
        history.record(events.StepCompleted(**place, attempt=2)),
        history.record(events.StepCompensated(**place)),
        history.completed(),
    ]


async def test_everything_that_names_a_pruned_execution_goes_with_it(
    rows: ReadModelUnderTest,
) -> None:
    log = Log()
    await rows.receives(log.append([*with_everything("gone"), *old("also").whole()]))  # type: ignore[list-item]

    removed = await pruned(rows)

    assert removed == 2
    assert await rows.count_by_table(PRUNED_TABLES) == dict.fromkeys(PRUNED_TABLES, 0)
    assert await rows.count_by_table(["pipeline_definitions"]) == {"pipeline_definitions": 0}


async def test_every_table_that_names_executions_is_pruned(rows: ReadModelUnderTest) -> None:
    assert await rows.tables_with("execution_id") == set(PRUNED_TABLES)


async def test_unfinished_recent_and_quarantined_executions_stay(rows: ReadModelUnderTest) -> None:
    log = Log()
    recent = History("recent", time=LATER)
    sick = old("sick")
    begun, (_lost, ended) = sick.started(), sick.step()
    log.append([old("running").started(), *recent.whole(), begun, ended, *old("gone").whole()])
    await rows.receives(log.entries)

    removed = await pruned(rows)

    assert removed == 1
    for kept in ("running", "recent", "sick"):
        assert await rows.model.execution(kept) is not None


async def test_a_pruning_goes_on_batch_by_batch_past_what_stays(
    rows: ReadModelUnderTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pruning, "BATCH_ROWS", 2)
    log = Log()
    for number in range(3):
        log.append([old(f"stays-{number}").started(), *old(f"goes-{number}").whole()])
    await rows.receives(log.entries)

    steps = [removed async for removed in prune_in_batches(rows.store, LATER)]

    assert steps == [2, 3]
    assert [row["execution_id"] for row in await rows.recent()] == ["stays-2", "stays-1", "stays-0"]


async def test_a_worker_writes_a_pruned_definition_again(rows: ReadModelUnderTest) -> None:
    """It remembers which definitions are in the table; after a pruning it must not."""
    log = Log()
    first = old("first")
    begun = first.started(definition=DEFINITION, definition_hash=HASH)
    await rows.receives(log.append([begun, first.completed()]))
    await pruned(rows)

    second = History("second", time=LATER).started(definition=DEFINITION, definition_hash=HASH)
    await rows.receives(log.append(second))

    assert await rows.count_by_table(["pipeline_definitions"]) == {"pipeline_definitions": 1}


async def test_the_rows_tell_how_far_they_were_pruned(rows: ReadModelUnderTest) -> None:
    log = Log()
    await rows.receives(log.append(old("gone").whole()))
    before = await rows.model.pruned_before()

    await pruned(rows)

    assert before is None
    assert await rows.model.pruned_before() == LATER


async def test_an_old_refusal_of_an_execution_that_never_began_goes(
    rows: ReadModelUnderTest,
) -> None:
    log = Log()
    await rows.receives(log.append([refused("c-1", "never"), old("kept").started()]))
    await rows.receives(log.append(refused("c-2", "kept")))

    await pruned(rows)

    assert await rows.select("SELECT command_id FROM refused_commands") == [("c-2",)]
