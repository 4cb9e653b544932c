"""An execution that an executor from before the first release left under way is gone on with."""

from steplog_contracts.envelope import Record
from steplog_contracts.events import StepCompleted
from steplog_contracts.parked_execution import ParkedFact
from tests.contracts.old_log import old_log
from tests.executor.support.fakes import SharedLog
from tests.executor.support.partition_harness import PARTITION, Owning


async def test_the_step_under_way_runs_again_and_the_execution_completes() -> None:
    log = SharedLog()
    log.land(PARTITION, [Record(entry.key, entry.value, entry.headers) for entry in old_log()])

    here = await Owning(log).begin()

    assert here.kinds("old-3") == [
        "ExecutionStarted", "StepStarted", "StepCompleted",
        "StepStarted", "StepStarted", "StepCompleted", "ExecutionCompleted",
    ]  # fmt: skip
    assert here.kinds("old-1")[-1] == "ExecutionCompleted"


def test_a_snapshot_of_an_older_version_is_brought_forward() -> None:
    old = {"step": "s1", "result": {"n": 1}, "elapsed_s": 2, "next": [0]}
    fact = ParkedFact(type="steplog.step.completed.v0", time="2025-11-03T09:15:00Z", data=old)

    assert fact.event == StepCompleted(step_id="s1", output={"n": 1}, taken=(0,), duration_ms=2000)
