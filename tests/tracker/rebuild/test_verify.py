"""Rows held against the log: what was tampered with is found, told and put right."""

from datetime import timedelta

import pytest

from steplog_contracts import events
from tests.tracker.histories import BEGINNING, History
from tests.tracker.rebuild.world import World
from tracker_service.log.kafka_events_log import KafkaEventsLog
from tracker_service.rebuild.drift_check import DriftCheck
from tracker_service.rebuild.sample_check import verify_executions, verify_sample
from tracker_service.store.postgres.read_model import PostgresReadModel
from tracker_service.store.queries import Drift

pytestmark = [pytest.mark.broker, pytest.mark.database]


def drift_check(world: World, sample: int = 100) -> DriftCheck:
    """A check that looks at every row of a small world."""
    log = KafkaEventsLog(world.bootstrap_servers, world.topic)
    return DriftCheck(world.url, log, world.topic, sample, lambda: "")


async def test_a_sample_of_rows_nobody_touched_equals_the_log(filled: World) -> None:
    checked = await verify_sample(filled.order(), 100)

    assert checked.executions == 24
    assert (checked.differing, checked.left_out) == ([], [])


async def test_tampering_is_found_with_column_and_both_values(filled: World) -> None:
    await filled.tamper()

    checked = await verify_sample(filled.order(), 100)

    assert checked.differing == ["e-0-0", "e-1-1", "e-2-2"]
    changed = next(one for one in checked.examples if one.kind == "changed")
    assert changed.columns["completed_steps"] == ("99", "2")


async def test_a_repair_writes_what_the_log_says(filled: World) -> None:
    before = await filled.rows()
    await filled.tamper()

    checked = await verify_sample(filled.order(), 100, repair=True)

    assert checked.repaired == ["e-0-0", "e-1-1", "e-2-2"]
    assert await filled.rows() == before


@pytest.mark.parametrize(
    "change",
    [
        "first_offset = 9999",
        "log_offset = log_offset - 1",
        "status = 'running', completed_at = NULL",
        "execution_id = 'nobody'",
    ],
)
async def test_a_row_that_lies_about_its_place_is_repaired_too(filled: World, change: str) -> None:
    before = await filled.rows()
    await filled.fetch(f"UPDATE pipeline_executions SET {change} WHERE execution_id = 'e-0-0'")

    await filled.rebuild(swaps=False, repairs=True)

    assert await filled.rows() == before


async def test_one_execution_is_folded_again_and_replaced(filled: World) -> None:
    before = await filled.rows()
    await filled.fetch("DELETE FROM step_executions WHERE execution_id = 'open-3'")

    checked = await verify_executions(filled.order(), ["open-3"], repair=True)

    assert checked.repaired == ["open-3"]
    assert await filled.rows() == before


async def test_only_what_began_in_a_window_is_made_again(world: World) -> None:
    early = History("early").whole(1)
    late = History("late", time=BEGINNING + timedelta(hours=2)).whole(1)
    await world.append(0, [*early, *late])
    await world.project()
    before = await world.rows()
    await world.fetch("UPDATE pipeline_executions SET pipeline_name = 'forged'")

    report = await world.rebuild(swaps=False, repairs=True, until=BEGINNING + timedelta(hours=1))

    assert report.repaired == ["early"]
    after = (await world.rows())["pipeline_executions"]
    assert after[0] == before["pipeline_executions"][0]
    assert "forged" in after[1]


async def test_steps_undone_long_after_the_end_survive_a_repair(world: World) -> None:
    history = History("failed")
    records = [history.started(), *history.step("a")]
    error = events.ErrorInfo(type="E", message="m")
    records.append(history.record(events.ExecutionFailed(error=error)))
    records.append(history.record(events.StepCompensated(step_id="a")))
    await world.append(1, records)
    await world.project()
    before = await world.rows()
    await world.fetch("UPDATE pipeline_executions SET completed_steps = 7")

    await verify_executions(world.order(), ["failed"], repair=True)

    assert await world.rows() == before


async def test_the_drift_check_counts_what_it_looked_at_and_finds_nothing(filled: World) -> None:
    await drift_check(filled).run()

    drift = await drift_of(filled)
    assert drift.checked == 20
    assert (drift.drifted_rows, drift.drifted_executions) == (0, 0)


async def test_drift_is_told_until_it_is_put_right(filled: World) -> None:
    await filled.tamper()
    await drift_check(filled).run()
    found = await drift_of(filled)
    await filled.rebuild()
    await drift_check(filled).run()

    healed = await drift_of(filled)

    assert (found.drifted_executions, found.drifted_rows) == (3, 4)
    assert (healed.drifted_executions, healed.drifted_rows) == (0, 0)


async def drift_of(world: World) -> Drift:
    """Return what the drift check has written down."""
    model = PostgresReadModel(world.url)
    await model.open()
    try:
        return await model.drift(world.topic)
    finally:
        await model.close()
