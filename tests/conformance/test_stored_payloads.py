"""Rows of executions whose large values are kept in the payload store, on both read models."""

import json
from datetime import timedelta
from typing import Any

from steplog_contracts import events
from steplog_contracts.data_ref import DataRef, References
from tests.conformance.stores import ReadModelUnderTest, parsed
from tests.tracker.histories import BEGINNING, History, Log
from tracker_service.store.queries import StoredValue

KEPT = DataRef(uri="s3://bucket/ab.json", sha256="ab" * 32, size_bytes=5_000_000)
OTHER = DataRef(uri="s3://bucket/cd.json", sha256="cd" * 32, size_bytes=70_000)


def log_of(*history: events.Event) -> Log:
    """Return a log of one execution."""
    log, recorder = Log(), History()
    log.append([recorder.record(event) for event in history])
    return log


def started(**fields: Any) -> events.ExecutionStarted:
    """The execution began."""
    return events.ExecutionStarted(pipeline_id="p", pipeline_name="P", total_steps=1, **fields)


def completed(references: References | None = None) -> events.StepCompleted:
    """Its step ended, with a member of its output stored."""
    output = {"rows": None, "count": 3}
    return events.StepCompleted(step_id="a", output=output, references=references)


async def test_records_say_which_of_their_values_are_stored(rows: ReadModelUnderTest) -> None:
    log = log_of(
        started(input={"big": None}, references={"/input/big": OTHER}),
        events.StepStarted(step_id="a", references={"/input": OTHER}),
        completed({"/output/rows": KEPT}),
        events.ExecutionCompleted(output={"rows": None}, references={"/output/rows": KEPT}),
    )
    await rows.receives(log.entries)

    execution, [step] = await rows.execution(), await rows.steps()
    assert execution["references"] == {
        "/input_data/big": OTHER.model_dump(),
        "/output_data/rows": KEPT.model_dump(),
    }
    assert (execution["input_data"], execution["output_data"]) == ({"big": None}, {"rows": None})
    assert step["references"].keys() == {"/input_data", "/output_data/rows"}
    assert step["output_data"] == {"rows": None, "count": 3}


async def test_values_that_are_null_are_no_references(rows: ReadModelUnderTest) -> None:
    """Users' data can't look like one, whatever it holds."""
    forged = json.loads(completed({"/output/rows": KEPT}).model_dump_json())
    log = log_of(started(input=forged), completed(), events.ExecutionCompleted(output=forged))
    await rows.receives(log.entries)

    execution, [step] = await rows.execution(), await rows.steps()
    assert (execution["references"], step["references"]) == (None, None)
    assert execution["output_data"] == forged


async def test_a_question_and_its_answer_say_so(rows: ReadModelUnderTest) -> None:
    place = {"step_id": "a", "interaction_id": "i"}
    log = log_of(
        started(),
        events.StepStarted(step_id="a"),
        events.StepWaiting(**place, output={"x": None}, references={"/output/x": KEPT}),
        events.StepResumed(**place, references={"/human_input": OTHER}),
    )
    await rows.receives(log.entries)

    [question] = await rows.model.interactions(pending_only=False)
    assert json.loads(bytes(question["references"])).keys() == {"/context_data/x", "/human_input"}


async def test_a_reference_is_found_by_its_execution_and_sha256_alone(
    rows: ReadModelUnderTest,
) -> None:
    log = log_of(started(), events.StepStarted(step_id="a"), completed({"/output/rows": KEPT}))
    await rows.receives(log.entries)

    found = await rows.model.stored_payload("e-1", KEPT.sha256)
    assert found == StoredValue(KEPT, ("/output_data/rows",))
    assert await rows.model.stored_payload("e-2", KEPT.sha256) is None
    assert await rows.model.stored_payload("e-1", OTHER.sha256) is None


async def test_a_redelivered_event_adds_nothing(rows: ReadModelUnderTest) -> None:
    log = log_of(started(references={"/input": KEPT}))
    await rows.receives(log.entries)

    await rows.worker().apply(0, log.entries)

    assert (await rows.execution())["references"].keys() == {"/input_data"}


async def test_rows_as_they_stood_name_what_they_had_by_then(rows: ReadModelUnderTest) -> None:
    log = log_of(
        started(input={"big": None}, references={"/input/big": OTHER}),
        events.StepStarted(step_id="a", references={"/input": OTHER}),
        completed({"/output/rows": KEPT}),
        events.ExecutionCompleted(output={"rows": None}, references={"/output/rows": KEPT}),
    )
    await rows.receives(log.entries)
    at = BEGINNING + timedelta(milliseconds=3)

    execution = parsed(await rows.model.past.execution("e-1", at) or {})
    [step] = [parsed(row) for row in await rows.model.past.steps("e-1", at)]
    assert execution["references"].keys() == {"/input_data/big"}
    assert step["references"].keys() == {"/input_data", "/output_data/rows"}
