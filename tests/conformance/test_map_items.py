"""Maps in both read models: a map is one visit, its items are counted and come in pages."""

import pytest

from steplog_contracts import events
from steplog_contracts.envelope import Record
from tests.conformance.stores import ReadModelUnderTest
from tests.tracker.histories import AN_ERROR, BEGINNING, History, Log

ITEMS = 12


def item(kind: type[events.StepEvent], index: int, **fields: object) -> events.Event:
    """Return an event of an item of the map `each`."""
    return kind(step_id=f"each[{index}]", item_index=index, **fields)


def begun(history: History) -> list[Record]:
    """A map of twelve items has begun; the third failed, the last asks a person."""
    records = [history.started(total_steps=2)]
    whole = events.StepStarted(step_id="each", step_type="map", item_count=ITEMS)
    records.append(history.record(whole))
    records += [
        history.record(item(events.StepStarted, n, input={"item": n})) for n in range(ITEMS)
    ]
    for n in range(ITEMS - 1):
        end = item(events.StepCompleted, n, output=n)
        if n == 2:
            end = item(events.StepFailed, n, error=AN_ERROR)
        records.append(history.record(end))
    last = ITEMS - 1
    asked = item(events.StepWaiting, last, interaction_id="i-1", prompt="ok?")
    return [*records, history.record(asked)]


@pytest.fixture
async def read(rows: ReadModelUnderTest) -> ReadModelUnderTest:
    """Return a read model that has taken such a map in."""
    log = Log()
    log.append(begun(History()))
    await rows.receives(log.entries)
    return rows


async def test_a_map_is_one_visit_that_counts_its_items(read: ReadModelUnderTest) -> None:
    (whole,) = await read.steps()

    assert (whole["step_id"], whole["item_count"]) == ("each", ITEMS)
    assert whole["item_counts"] == {"completed": 10, "failed": 1, "waiting_for_human": 1}


async def test_items_are_no_steps_of_the_execution(read: ReadModelUnderTest) -> None:
    execution = await read.execution()

    assert (execution["completed_steps"], execution["failed_steps"]) == (0, 0)
    assert execution["total_steps"] == 2


async def test_an_execution_waits_when_only_items_of_its_map_do(read: ReadModelUnderTest) -> None:
    assert (await read.execution())["status"] == "waiting_for_human"


async def test_items_come_in_pages_in_their_order(read: ReadModelUnderTest) -> None:
    first = await read.model.items.page("e-1", "each", 1, limit=5)
    second = await read.model.items.page("e-1", "each", 1, after=4, limit=5)

    assert [row["item_index"] for row in first] == [0, 1, 2, 3, 4]
    assert [row["step_id"] for row in second][:2] == ["each[5]", "each[6]"]


async def test_items_can_be_asked_for_by_how_they_ended(read: ReadModelUnderTest) -> None:
    (failed,) = await read.model.items.page("e-1", "each", 1, status="failed")

    assert (failed["item_index"], failed["error_message"]) == (2, "bad value")


async def test_other_maps_have_other_items(read: ReadModelUnderTest) -> None:
    assert await read.model.items.page("e-1", "eac", 1) == []
    assert await read.model.items.page("e-1", "each", 2) == []


async def test_the_past_counts_items_as_they_stood(read: ReadModelUnderTest) -> None:
    """After the first three ends: event 17, a millisecond for each."""
    at = BEGINNING.replace(microsecond=17_000)

    (whole,) = await read.model.past.steps("e-1", at)

    assert whole["item_counts"] == {"completed": 2, "failed": 1, "running": 9}


async def test_rows_are_the_same_when_every_event_is_a_batch(rows: ReadModelUnderTest) -> None:
    log = Log()
    log.append(begun(History()))

    for entry in log.entries:
        await rows.worker().apply(0, [entry])

    (whole,) = await rows.steps()
    assert whole["item_counts"] == {"completed": 10, "failed": 1, "waiting_for_human": 1}
    assert (await rows.execution())["status"] == "waiting_for_human"
    assert (await rows.execution())["completed_steps"] == 0
