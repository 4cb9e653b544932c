"""What both read models make of a log."""

from datetime import timedelta

import pytest

from steplog_contracts import events
from tests.conformance.stores import TOPIC, ReadModelUnderTest
from tests.tracker.histories import AN_ERROR, BEGINNING, History, Log, claim, refused
from tracker_service.projector.projector import HoleInLog
from tracker_service.store.queries import ExecutionFilter


async def test_a_whole_execution_becomes_its_two_kinds_of_rows(rows: ReadModelUnderTest) -> None:
    log = Log()
    log.append(History().whole(steps=2))

    await rows.receives(log.entries)

    execution, steps = await rows.execution(), await rows.steps()
    assert (execution["status"], execution["total_steps"]) == ("completed", 2)
    assert (execution["completed_steps"], execution["failed_steps"]) == (2, 0)
    assert (execution["output_data"], execution["execution_time_ms"]) == ({"done": True}, 3.0)
    assert execution["position"] == "0:5"
    assert [step["step_execution_id"] for step in steps] == ["e-1:s0:1", "e-1:s1:1"]
    assert [step["status"] for step in steps] == ["completed", "completed"]
    assert steps[0]["input_data"] == {"n": 1}
    assert steps[0]["output_data"] == {"m": 2}
    assert (steps[0]["step_name"], steps[0]["execution_time_ms"]) == ("S0", 1.5)


async def test_rows_come_out_the_same_when_every_event_is_a_batch(
    rows: ReadModelUnderTest,
) -> None:
    """A batch of one goes through stored rows only for what a worker forgot."""
    log = Log()
    log.append(History().whole(steps=3))

    for entry in log.entries:
        await rows.worker().apply(0, [entry])

    assert (await rows.execution())["completed_steps"] == 3
    assert [step["input_data"] for step in await rows.steps()] == [{"n": 1}] * 3


async def test_a_redelivered_batch_changes_nothing(rows: ReadModelUnderTest) -> None:
    log = Log()
    log.append(History().whole(steps=1))
    await rows.receives(log.entries)
    before = await rows.execution()

    await rows.worker().apply(0, log.entries)

    assert await rows.execution() == before


async def test_a_batch_beyond_the_position_is_refused(rows: ReadModelUnderTest) -> None:
    """Faust hands over the next batch after one that failed; going on would lose the first."""
    log = Log()
    log.append(History().whole(steps=1))

    with pytest.raises(HoleInLog, match="applied up to offset 0"):
        await rows.receives(log.entries[2:])


async def test_a_worker_that_lost_its_partition_writes_nothing(rows: ReadModelUnderTest) -> None:
    log = Log()
    history = History()
    first, rest = log.append(history.started()), log.append([*history.step(), history.completed()])
    zombie, successor = rows.worker(), rows.worker()
    await zombie.apply(0, first)
    await successor.apply(0, first)
    await successor.apply(0, rest)

    await zombie.apply(0, rest)

    assert zombie.applied.conflicts == 1
    assert (await rows.execution())["completed_steps"] == 1


async def test_events_of_a_former_owner_are_ignored(rows: ReadModelUnderTest) -> None:
    """The newest claim before an event says whose events count."""
    log = Log()
    former, rightful = History(), History()
    log.append([claim(owner="a")])
    former.epoch = rightful.epoch = 0
    log.append(former.started())
    log.append([claim(owner="b")])
    rightful.epoch, rightful.seq = 2, 1
    log.append(former.step("stale"))
    log.append(rightful.step("fresh"))

    await rows.receives(log.entries)

    assert [step["step_id"] for step in await rows.steps()] == ["fresh"]
    assert rows.projector.applied.counts.stale == 2


async def test_the_current_epoch_survives_a_restart(rows: ReadModelUnderTest) -> None:
    log = Log()
    history = History(epoch=0)
    await rows.receives(log.append([claim(owner="a"), history.started()]))
    history.epoch = 7
    late = log.append(history.step())

    worker = rows.worker()
    await worker.apply(0, late)

    assert worker.applied.counts.stale == 2
    assert await rows.steps() == []


async def test_any_json_reaches_the_rows_as_it_was_written(rows: ReadModelUnderTest) -> None:
    """Escaped U+0000, long numbers and key order are users' data and pass untouched."""
    log = Log()
    history = History()
    output = {"b": "nul \x00 here", "a": [1e-7, 12345678901234567890], "é": "\u2028"}
    log.append([history.started(), *history.step(output=output), history.completed()])

    await rows.receives(log.entries)

    step = (await rows.model.steps("e-1"))[0]
    assert bytes(step["output_data"]).decode() == (
        '{"b":"nul \\u0000 here","a":[1e-7,12345678901234567890],"é":"\u2028"}'
    )


async def test_text_columns_show_a_nul_as_its_escape(rows: ReadModelUnderTest) -> None:
    log = Log()
    history = History()
    error = events.ErrorInfo(type="E", message="bad \x00 byte")
    log.append([history.started(), history.record(events.ExecutionFailed(error=error))])

    await rows.receives(log.entries)

    assert (await rows.execution())["error_message"] == "bad \\u0000 byte"


async def test_a_failed_attempt_is_kept_and_the_last_one_is_the_step(
    rows: ReadModelUnderTest,
) -> None:
    log = Log()
    history = History()
    retry_at = BEGINNING + timedelta(seconds=1)
    log.append(
        [
            history.started(),
            history.record(events.StepStarted(step_id="a", input={"n": 1})),
            history.record(
                events.StepAttemptFailed(step_id="a", error=AN_ERROR, retry_at=retry_at)
            ),
            history.record(events.StepStarted(step_id="a", attempt=2)),
            history.record(events.StepCompleted(step_id="a", attempt=2)),
        ]
    )

    await rows.receives(log.entries)

    step = (await rows.steps())[0]
    assert (step["attempt"], step["retry_count"], step["status"]) == (2, 1, "completed")
    assert step["input_data"] == {"n": 1}


async def test_a_question_is_asked_answered_and_listed(rows: ReadModelUnderTest) -> None:
    log = Log()
    history = History()
    asked = events.StepWaiting(step_id="a", interaction_id="i-1", prompt="Sure?", output={"x": 1})
    begun = history.started(), history.record(events.StepStarted(step_id="a"))
    await rows.receives(log.append([*begun, history.record(asked)]))
    waiting = await rows.execution()
    pending = await rows.model.interactions(execution_id="e-1")
    answer = events.StepResumed(step_id="a", interaction_id="i-1", human_input={"ok": True})
    await rows.receives(log.append(history.record(answer, cause="cmd-9")))

    assert (waiting["status"], pending[0]["prompt"]) == ("waiting_for_human", "Sure?")
    assert (await rows.execution())["status"] == "running"
    assert await rows.model.interactions(execution_id="e-1") == []
    answered = await rows.model.interactions(execution_id="e-1", pending_only=False)
    assert answered[0]["status"] == "completed"
    assert (await rows.model.command("cmd-9")).status == "applied"


async def test_commands_are_known_as_applied_refused_or_unknown(rows: ReadModelUnderTest) -> None:
    log = Log()
    log.append([History().started(cause="run-1"), refused("run-2")])

    await rows.receives(log.entries)

    applied, bad = await rows.model.command("run-1"), await rows.model.command("run-2")
    assert (applied.status, applied.execution_id) == ("applied", "e-1")
    assert (bad.status, bad.code, bad.message) == ("refused", "bad_definition", "No steps.")
    assert (await rows.model.command("run-3")).status == "unknown"


async def test_a_list_pages_by_key_and_filters(rows: ReadModelUnderTest) -> None:
    log = Log()
    for number in range(5):
        history = History(f"e-{number}", time=BEGINNING + timedelta(minutes=number // 2))
        log.append([history.started(pipeline_id=f"p{number % 2}")])
    await rows.receives(log.entries)

    first = await rows.model.executions(ExecutionFilter(limit=2))
    after = (first[-1]["started_at"], first[-1]["execution_id"])
    second = await rows.model.executions(ExecutionFilter(limit=9, after=after))
    of_one = await rows.model.executions(ExecutionFilter(pipeline_id="p1", statuses=("running",)))

    assert [row["execution_id"] for row in [*first, *second]] == ["e-4", "e-3", "e-2", "e-1", "e-0"]
    assert [row["execution_id"] for row in of_one] == ["e-3", "e-1"]


async def test_freshness_counts_the_gap_to_the_end_last_seen(rows: ReadModelUnderTest) -> None:
    log = Log()
    log.append(History().whole(steps=1))
    await rows.receives(log.entries)

    await rows.store.observe_ends(TOPIC, {0: 7})
    behind = await rows.model.freshness(TOPIC)
    await rows.store.observe_ends(TOPIC, {0: 4})
    fresh = await rows.model.freshness(TOPIC)

    assert (behind.gap, behind.tracker, behind.applied(0, 3)) == (3, "behind", True)
    assert behind.lag_s > 0
    assert (fresh.gap, fresh.tracker, fresh.lag_s) == (0, "fresh", 0.0)
    assert not fresh.applied(0, 4)


async def test_statistics_count_by_status(rows: ReadModelUnderTest) -> None:
    log = Log()
    log.append([*History("e-1").whole(), History("e-2").started()])
    await rows.receives(log.entries)

    statistics = await rows.model.statistics()

    assert statistics == {"counts": {"completed": 1, "running": 1}, "mean_completed_ms": 3.0}


@pytest.mark.parametrize("batches", [1, 4])
async def test_an_output_a_failure_does_not_bring_stays_however_batches_fall(
    rows: ReadModelUnderTest, batches: int
) -> None:
    history, log = History(), Log()
    place = {"step_id": "a"}
    asked = events.StepWaiting(**place, interaction_id="q", output={"asked": 1})
    failed = events.StepFailed(**place, error=AN_ERROR)
    records = [
        history.started(),
        *map(history.record, (events.StepStarted(**place), asked, failed)),
    ]
    entries = log.append(records)
    size = len(entries) // batches
    for start in range(0, len(entries), size):
        await rows.receives(entries[start : start + size])

    assert (await rows.steps())[0]["output_data"] == {"asked": 1}
    assert (await rows.execution())["status"] == "running"
