"""What people decided about dead letters holds after a rebuild."""

from collections.abc import Awaitable, Callable

import pytest

from steplog_contracts import events
from steplog_contracts.envelope import Record
from tests.tracker.histories import History
from tests.tracker.rebuild.world import World
from tests.verification.tracker_world import spoiled
from tracker_service.projector import dead_letters
from tracker_service.rebuild.errors import RebuildStopped
from tracker_service.store.dead_letters import DeadLetters
from tracker_service.store.postgres.dead_letters import PostgresDeadLetters
from tracker_service.store.postgres.store import PostgresStore

pytestmark = [pytest.mark.broker, pytest.mark.database]
Decide = Callable[[DeadLetters, int], Awaitable[object]]


def poisoned() -> list[Record]:
    """A history whose third event can't be read."""
    history = History("e-bad")
    records = [history.started(total_steps=2), *history.step("a"), *history.step("b")]
    records[2] = spoiled(records[2])
    return [*records, history.completed()]


def out_of_order() -> list[Record]:
    """A history whose third event arrives after the fourth."""
    history = History("e-late")
    first, second, third, fourth = [history.started(), *history.step("a"), history.completed()]
    return [first, second, fourth, third]


async def decided(world: World, decide: Decide) -> None:
    """Decide about the letter at fault."""
    store = PostgresStore(world.url, max_connections=2)
    await store.open()
    try:
        letters = PostgresDeadLetters(store.pool)
        number = (await letters.letters(unresolved=True, limit=9))[0].id
        await decide(letters, number)
    finally:
        await store.close()


@pytest.mark.parametrize("decide", [None, dead_letters.skip], ids=["open", "skipped"])
async def test_what_is_set_aside_or_skipped_stays_so(filled: World, decide: Decide | None) -> None:
    await filled.append(0, poisoned())
    await filled.project()
    if decide is not None:
        await decided(filled, decide)
    before, letters = await filled.rows(), await filled.fetch("TABLE dead_letters")

    report = await filled.rebuild()

    assert report.tally.total == 0
    assert await filled.rows() == before
    assert await filled.fetch("TABLE dead_letters") == letters


@pytest.mark.parametrize("decide", [None, dead_letters.retry], ids=["open", "applied"])
async def test_what_a_retry_applied_is_applied(filled: World, decide: Decide | None) -> None:
    await filled.append(1, out_of_order())
    await filled.project()
    if decide is not None:
        await decided(filled, decide)
    before = await filled.rows()

    report = await filled.rebuild()

    assert report.tally.total == 0
    assert await filled.rows() == before


async def test_a_worker_goes_on_behind_a_letter_after_the_swap(filled: World) -> None:
    records = poisoned()
    await filled.append(0, records[:4])
    await filled.project()
    await filled.rebuild()
    await filled.append(0, records[4:])
    await filled.project()

    letters = await filled.fetch("SELECT status FROM dead_letters ORDER BY log_offset")

    assert [row[0] for row in letters] == ["open", "parked", "parked", "parked"]


async def test_an_event_the_live_rows_never_met_stops_it_and_names_its_place(
    filled: World,
) -> None:
    await filled.append(2, poisoned())
    await filled.project()
    await filled.fetch("DELETE FROM dead_letters")
    before, offset = await filled.rows(), filled.ends[2] - 4

    with pytest.raises(RebuildStopped, match=f"partition 2, offset {offset} of .*--set-aside"):
        await filled.rebuild()

    assert await filled.rows() == before


async def test_it_can_be_told_to_set_such_events_aside(filled: World) -> None:
    await filled.append(2, poisoned())
    await filled.project()
    letters = await filled.fetch("SELECT log_offset, status FROM dead_letters ORDER BY 1")
    await filled.fetch("DELETE FROM dead_letters")

    await filled.rebuild(lenient=True)

    again = await filled.fetch("SELECT log_offset, status FROM dead_letters ORDER BY 1")
    assert again == letters


async def test_an_execution_undone_after_its_end_keeps_that(filled: World) -> None:
    history = History("e-undone")
    error = events.ErrorInfo(type="E", message="m")
    records = [history.started(), *history.step("a")]
    records.append(history.record(events.ExecutionFailed(error=error)))
    records.append(history.record(events.StepCompensated(step_id="a")))
    await filled.append(3, records)
    await filled.project()

    report = await filled.rebuild()

    assert report.tally.total == 0
    assert len((await filled.rows())["step_compensations"]) == 1
