"""What other code would make of the recorded past, before it is deployed."""

import json

import pytest

from tests.steplog.cli.command_line import Ended, steplog
from tests.tracker.rebuild.world import World
from tracker_service.store.errors import StoreRefused
from tracker_service.store.migrations import PROJECTION_VERSION
from tracker_service.store.postgres.store import PostgresStore

pytestmark = [pytest.mark.broker, pytest.mark.database]
CAPITALS = "tests.tracker.rebuild.changed_fold:CapitalNames"
NO_ENDS = "tests.tracker.rebuild.changed_fold:NoCompletions"


async def test_a_changed_fold_is_shown_by_column_with_both_values(filled: World) -> None:
    before = await filled.rows()

    report = await filled.rebuild(swaps=False, fold=CAPITALS)

    assert report.tally.kinds == {("pipeline_executions", "changed"): 24}
    assert report.tally.columns == {("pipeline_executions", "pipeline_name"): 24}
    assert report.examples[0].columns == {"pipeline_name": ("P", "P!")}
    assert await filled.rows() == before
    assert await filled.schemas() == []


async def test_events_the_new_code_would_set_aside_are_counted(filled: World) -> None:
    report = await filled.rebuild(swaps=False, lenient=True, fold=NO_ENDS)

    assert report.new_letters == 20
    assert report.tally.columns[("pipeline_executions", "status")] == 20


async def test_it_works_on_rows_of_another_projection_version_and_a_rebuild_sets_the_new_one(
    filled: World,
) -> None:
    await filled.fetch("UPDATE read_model SET projection_version = 0")
    store = PostgresStore(filled.url)
    with pytest.raises(StoreRefused, match="steplog rebuild"):
        await store.open()

    report = await filled.rebuild()

    assert report.live_projection == 0
    assert (await filled.fetch("TABLE read_model"))[0][0] == PROJECTION_VERSION
    await store.open()
    await store.close()


async def test_an_old_worker_stops_at_rows_of_a_new_version(filled: World) -> None:
    """It reads its positions anew after the swap, and finds that they are not for it."""
    store = PostgresStore(filled.url)
    await store.open()
    await filled.fetch("UPDATE read_model SET projection_version = 99")

    with pytest.raises(StoreRefused, match="projection version 99"):
        await store.positions(filled.topic, [0])
    await store.close()


def command(world: World, *arguments: str) -> Ended:
    """Run a command on a world."""
    return steplog(*arguments, env=world.servers())


async def test_commands_end_with_1_where_a_row_differs_and_tell_programs_why(
    filled: World,
) -> None:
    same = command(filled, "diff-projection")
    await filled.tamper()
    differs = command(filled, "diff-projection", "--json")

    assert (same.exit_code, "No row would change" in same.out) == (0, True)
    assert differs.exit_code == 1
    told = json.loads(differs.out)
    assert told["differences"] == 4
    assert told["changed_by_column"]["pipeline_executions.completed_steps"] == 1


async def test_commands_verify_repair_rebuild_and_drop_what_was_replaced(filled: World) -> None:
    await filled.tamper()

    ends = [
        command(filled, *words.split())
        for words in (
            "verify --sample 50",
            "verify --all --repair",
            "verify --all",
            "rebuild --execution e-0-0",
            "rebuild --json",
            "rebuild --drop-old",
        )
    ]

    assert [ended.exit_code for ended in ends] == [1, 0, 0, 0, 0, 0]
    assert "completed_steps" in ends[0].out
    assert "3 executions repaired" in ends[1].out
    assert "Every row equals the log" in ends[2].out
    assert json.loads(ends[4].out)["swapped"] is True
    assert "Dropped: steplog_old_" in ends[5].out
