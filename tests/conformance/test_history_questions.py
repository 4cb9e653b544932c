"""Statistics, relatives, attempts, definitions and changes; alike on both read models."""

from datetime import timedelta

from steplog_contracts import events
from steplog_contracts.payload import sha256_of
from tests.conformance.stores import ReadModelUnderTest
from tests.tracker.histories import AN_ERROR, BEGINNING, History, Log
from tracker_service.store.queries import Window

HOUR = Window(BEGINNING, BEGINNING + timedelta(hours=1), 600)


async def some_executions(rows: ReadModelUnderTest) -> None:
    """Twenty executions a minute apart; those of the second ten fail in the end."""
    log = Log()
    for number in range(20):
        history = History(f"e-{number}", time=BEGINNING + timedelta(minutes=number))
        log.append([history.started(), *history.step(duration_ms=float(number + 1))])
        took_ms = 100.0 + number
        log.append(
            history.record(events.ExecutionCompleted(duration_ms=took_ms))
            if number < 10
            else history.record(events.ExecutionFailed(error=AN_ERROR, duration_ms=took_ms))
        )
    await rows.receives(log.entries)


async def test_pipelines_have_rates_failures_and_durations_by_bucket(
    rows: ReadModelUnderTest,
) -> None:
    """Nearest rank: of ten durations the median is the fifth, p95 and p99 the tenth."""
    await some_executions(rows)

    told = await rows.model.pipeline_statistics(HOUR)

    first, second = told.rows
    assert (told.looked_at, told.complete) == (20, True)
    assert second["bucket"] - first["bucket"] == 600
    assert (first["ended"], first["completed"], second["failed"]) == (10, 10, 10)
    assert (first["p50_ms"], first["p95_ms"], first["p99_ms"]) == (104.0, 109.0, 109.0)
    assert second["p50_ms"] is None


async def test_steps_have_visits_failures_retries_and_durations(rows: ReadModelUnderTest) -> None:
    await some_executions(rows)

    told = await rows.model.step_statistics(HOUR)

    (row,) = told.rows
    assert (row["step_id"], row["step_name"], row["visits"], row["retries"]) == ("a", "A", 20, 0)
    assert (row["p50_ms"], row["p95_ms"]) == (10.0, 19.0)


async def test_statistics_of_an_empty_window_are_empty(rows: ReadModelUnderTest) -> None:
    await some_executions(rows)
    before = Window(BEGINNING - timedelta(hours=2), BEGINNING, 600, "p")

    assert (await rows.model.pipeline_statistics(before)).rows == []
    assert (await rows.model.step_statistics(before)).rows == []


async def test_relatives_are_forks_retries_and_children(rows: ReadModelUnderTest) -> None:
    log = Log()
    origin = events.Origin(execution_id="e-1", kind="fork", from_step="a", at_seq=3)
    log.append(History("e-1").whole())
    log.append(History("fork").started(origin=origin))
    log.append(History("child").started(parent_execution_id="e-1"))
    log.append(History("stranger").started())
    await rows.receives(log.entries)

    found = await rows.model.relatives("e-1")

    assert {row["execution_id"]: row["fork_kind"] for row in found} == {
        "fork": "fork",
        "child": None,
    }


async def test_attempts_and_definitions_are_told(rows: ReadModelUnderTest) -> None:
    log, history = Log(), History()
    definition = {"name": "p", "steps": [{"id": "a"}], "flow": {"start_at": "a"}}
    log.append(history.started(definition=definition, definition_hash=sha256_of(definition)))
    log.append(history.record(events.StepStarted(step_id="a")))
    failed = events.StepAttemptFailed(step_id="a", error=AN_ERROR, retry_at=BEGINNING)
    log.append(history.record(failed))
    await rows.receives(log.entries)

    (attempt,) = await rows.model.attempts("e-1")
    (pipeline,) = await rows.model.pipelines()

    assert (attempt["error_message"], attempt["retry_at"]) == ("bad value", BEGINNING)
    assert pipeline["pipeline_id"] == "p"
    assert b'"start_at":"a"' in (await rows.model.definition(sha256_of(definition)) or b"")
    assert await rows.model.definition("none") is None


async def test_changes_are_found_between_two_positions(rows: ReadModelUnderTest) -> None:
    log, running = Log(), History("running")
    log.append([*History("old").whole(), running.started()])
    before = len(log.entries)
    log.append([*History("new").whole(), *running.step()])
    await rows.receives(log.entries)

    newer = await rows.model.changed({0: before}, {0: len(log.entries)})
    everything = await rows.model.changed({0: 0}, {0: len(log.entries)})
    nothing = await rows.model.changed({0: len(log.entries)}, {0: len(log.entries)})

    assert {row["execution_id"] for row in newer.rows} == {"new", "running"}
    assert {row["execution_id"] for row in everything.rows} == {"old", "new", "running"}
    assert (nothing.rows, nothing.complete) == ([], True)


async def test_executions_are_found_by_their_ids(rows: ReadModelUnderTest) -> None:
    log = Log()
    log.append([History("a").started(), History("b").started()])
    await rows.receives(log.entries)

    found = await rows.model.executions_by_id(["a", "nobody", "b"])

    assert sorted(row["execution_id"] for row in found) == ["a", "b"]
    assert await rows.model.executions_by_id([]) == []
