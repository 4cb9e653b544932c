"""Lists and counts of executions: filters, orders, pages; alike on both read models."""

from dataclasses import replace
from datetime import timedelta

import pytest

from steplog_contracts import events
from steplog_contracts.envelope import Record
from tests.conformance.stores import ReadModelUnderTest
from tests.tracker.histories import AN_ERROR, BEGINNING, History, Log
from tracker_service.store.queries import ExecutionFilter, Sort
from tracker_service.store.sql import execution_list


def ended(number: int, *, error: str | None = None, pipeline: str = "p") -> list[Record]:
    """Execution number n began at minute n and took 10 * n milliseconds."""
    history = History(f"e-{number}", time=BEGINNING + timedelta(minutes=number))
    begun = history.started(pipeline_id=pipeline, metadata={"team": f"t{number % 2}", "n": number})
    took_ms = 10.0 * number
    if error is None:
        return [begun, history.record(events.ExecutionCompleted(duration_ms=took_ms))]
    told = AN_ERROR.model_copy(update={"message": error})
    return [begun, history.record(events.ExecutionFailed(error=told, duration_ms=took_ms))]


@pytest.fixture
async def listed(rows: ReadModelUnderTest) -> ReadModelUnderTest:
    """Return a read model with six executions: 1 to 4 ended (3 failed), 5 waits, 6 runs."""
    log = Log()
    waiting = History("e-5", time=BEGINNING + timedelta(minutes=5))
    asked = events.StepWaiting(step_id="ask", interaction_id="q-1", prompt="Well?")
    running = History("e-6", time=BEGINNING + timedelta(minutes=6))
    log.append([*ended(1), *ended(2, pipeline="other"), *ended(3, error="Disk FULL 100%")])
    log.append([*ended(4), waiting.started(), waiting.record(asked), running.started()])
    await rows.receives(log.entries)
    return rows


async def ids(rows: ReadModelUnderTest, wanted: ExecutionFilter) -> list[str]:
    """Return the ids of all pages, walked through one row at a time."""
    found: list[str] = []
    while True:
        page = await rows.model.page(replace(wanted, limit=1))
        found += [row["execution_id"] for row in page.rows]
        if page.following is None:
            return found
        wanted = replace(wanted, after=page.following)


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (ExecutionFilter(), "654321"),
        (ExecutionFilter(descending=False), "123456"),
        (ExecutionFilter(statuses=("failed",)), "3"),
        (ExecutionFilter(statuses=("running", "failed")), "63"),
        (ExecutionFilter(pipeline_id="p"), "65431"),
        (ExecutionFilter(pipeline_id="p", statuses=("completed",)), "41"),
        (ExecutionFilter(pipeline_id="nobody"), ""),
        (ExecutionFilter(started_from=BEGINNING + timedelta(minutes=4)), "654"),
        (ExecutionFilter(started_before=BEGINNING + timedelta(minutes=3)), "21"),
        (ExecutionFilter(min_duration_ms=20.0, max_duration_ms=30.0), "32"),
        (ExecutionFilter(error_text="disk full 100%"), "3"),
        (ExecutionFilter(error_text="' OR 1=1 --"), ""),
        (ExecutionFilter(metadata=(("team", "t0"),)), "42"),
        (ExecutionFilter(metadata=(("n", "3"), ("team", "t1"))), "3"),
        (ExecutionFilter(metadata=(("no.such-key", "x"),)), ""),
        (ExecutionFilter(waiting=True), "5"),
        (ExecutionFilter(waiting=False, statuses=("running", "waiting_for_human")), "6"),
        (ExecutionFilter(sort=Sort.COMPLETED_AT), "4321"),
        (ExecutionFilter(sort=Sort.DURATION, descending=False), "1234"),
        (ExecutionFilter(sort=Sort.DURATION, pipeline_id="p", statuses=("completed",)), "41"),
        (ExecutionFilter(sort=Sort.DURATION, max_duration_ms=20.0), "21"),
        (ExecutionFilter(sort=Sort.COMPLETED_AT, started_before=BEGINNING), ""),
    ],
)
async def test_a_list_is_filtered_ordered_and_paged(
    listed: ReadModelUnderTest, wanted: ExecutionFilter, expected: str
) -> None:
    found = await ids(listed, wanted)

    assert found == [f"e-{digit}" for digit in expected]


async def test_a_checked_page_ends_where_it_has_looked_enough_and_goes_on(
    listed: ReadModelUnderTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(execution_list, "SCAN_ROWS", 2)
    wanted = ExecutionFilter(error_text="disk")

    first = await listed.model.page(wanted)

    assert (first.rows, first.following and first.following[1]) == ([], "e-5")
    assert await ids(listed, wanted) == ["e-3"]


async def test_counts_go_by_the_same_filters(listed: ReadModelUnderTest) -> None:
    everything = await listed.model.counts(ExecutionFilter())
    some = await listed.model.counts(ExecutionFilter(metadata=(("team", "t0"),), pipeline_id="p"))

    assert {status: n for status, n in everything.by_status.items() if n} == {
        "completed": 3,
        "failed": 1,
        "waiting_for_human": 1,
        "running": 1,
    }
    assert sum(some.by_status.values()) == 1
    assert everything.at_least == frozenset()
    assert await listed.model.tally("other") == {"completed": 1}


async def test_a_count_beyond_its_bound_says_that_it_is_a_lower_bound(
    listed: ReadModelUnderTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(execution_list, "COUNT_ROWS", 3)
    monkeypatch.setattr("tracker_service.store.sql.read_model.COUNT_ROWS", 3)

    counts = await listed.model.counts(ExecutionFilter())

    assert (counts.by_status["completed"], counts.at_least) == (3, frozenset({"completed"}))


async def test_metadata_that_a_database_cannot_hold_as_text_harms_nobody(
    rows: ReadModelUnderTest,
) -> None:
    log = Log()
    odd, plain = History("odd"), History("plain")
    log.append(odd.started(metadata={"k": "a\x00b"}))
    log.append(plain.started(metadata={"k": "v", "flag": True, "name": "Zoë 🎈"}))
    await rows.receives(log.entries)

    assert await ids(rows, ExecutionFilter(metadata=(("k", "v"),))) == ["plain"]
    assert await ids(rows, ExecutionFilter(metadata=(("flag", "true"),))) == ["plain"]
    assert await ids(rows, ExecutionFilter(metadata=(("name", "Zoë 🎈"),))) == ["plain"]


async def test_a_brief_row_leaves_out_what_may_be_large(listed: ReadModelUnderTest) -> None:
    (row,) = await listed.model.executions(ExecutionFilter(limit=1, brief=True))

    assert row["metadata"] is not None
    assert not {"input_data", "output_data", "parameters", "error_info"} & set(row)
