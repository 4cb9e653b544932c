"""In the service too: steps without effects are recorded together, and what is lost runs again."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from executor_service.log.recorder import ExecutionRecorder, HandedOver
from executor_service.log.writer import PartitionWriter
from executor_service.payloads.claim_check import ClaimCheck
from executor_service.payloads.client import Payloads
from steplog_contracts import events as ev
from steplog_contracts.payload import JsonObject
from tests.executor.support.fakes import FakeEventLog, ManualClock, SharedLog, settle
from tests.executor.support.partition_harness import Owning, linear
from tests.executor.support.people_steps import Held


def pure(*classes: str) -> JsonObject:
    """Return a row of steps that say they have no effects."""
    definition = linear(*classes)
    for step in definition["steps"]:
        step["effects"] = "none"
    return definition


async def test_ten_pure_steps_are_two_appends_to_the_log(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []
    append = FakeEventLog.append

    async def counting(self: FakeEventLog, partition: int, records: Any) -> Any:
        if b"RunPipeline" not in records[0].value and ("ce_subject", b"e-1") in records[0].headers:
            sizes.append(len(records))
        return await append(self, partition, records)

    monkeypatch.setattr(FakeEventLog, "append", counting)
    owning = await Owning().begin()
    await owning.run_definition("e-1", pure(*["Quick"] * 10))

    assert owning.kinds("e-1")[-1] == "ExecutionCompleted"
    assert sizes == [2, 20]


async def test_what_ran_ahead_of_a_crash_runs_again_once_recorded() -> None:
    Held.reset()
    owning = await Owning().begin()
    await owning.run_definition("e-1", pure("Quick", "Quick", "Held", "Quick"))
    before = owning.kinds("e-1")
    after = await owning.restarted()
    Held.release.set()
    await settle()
    completed = [e.step_id for e in after.history("e-1") if isinstance(e, ev.StepCompleted)]

    assert before == ["ExecutionStarted", "StepStarted"]
    assert after.kinds("e-1")[-1] == "ExecutionCompleted"
    assert completed == ["s1", "s2", "s3", "s4"]


async def test_a_partition_that_is_about_to_move_has_nothing_run_ahead() -> None:
    Held.reset()
    owning = await Owning().begin()
    await owning.run_definition("e-1", pure("Held", "Quick", "Quick"))
    pausing = asyncio.create_task(owning.owner.pause(5.0, 60.0))
    await settle()
    Held.release.set()
    await pausing

    assert owning.kinds("e-1") == ["ExecutionStarted", "StepStarted", "StepCompleted"]


def a_recorder(shared: SharedLog, clock: ManualClock) -> ExecutionRecorder:
    """Return the recorder of an execution on a partition without a claim."""
    writer = PartitionWriter(FakeEventLog(shared), 0, -1)
    claims = ClaimCheck(Payloads())
    return ExecutionRecorder(
        writer, clock, "e-1", source="/test", correlation_id=None, claim_check=claims
    )


async def test_events_that_waited_keep_their_times_and_never_go_back() -> None:
    shared, clock = SharedLog(), ManualClock()
    recorder, began = a_recorder(shared, clock), clock.now()
    events = [
        ev.StepStarted(step_id="a"),
        ev.StepCompleted(step_id="a"),
        ev.StepStarted(step_id="b"),
    ]
    times = [began, began + timedelta(seconds=2), began + timedelta(seconds=1)]
    await recorder.record(events, times=times)
    facts = recorder.facts or ()

    assert [(fact.time - began).total_seconds() for fact in facts] == [0, 2, 2]


async def test_a_process_that_stops_records_what_ran_ahead_and_no_further_start() -> None:
    shared, clock = SharedLog(), ManualClock()
    recorder = a_recorder(shared, clock)
    recorder.drain()
    events = [
        ev.StepCompleted(step_id="a"),
        ev.StepStarted(step_id="b"),
        ev.StepCompleted(step_id="b"),
        ev.StepStarted(step_id="c"),
    ]
    with pytest.raises(HandedOver):
        await recorder.record(events, times=[clock.now()] * 4)

    assert [type(fact.event) for fact in recorder.facts or ()] == [type(e) for e in events[:3]]
