"""A failed execution is gone on with by a new one; the failed one stays as it is."""

import pytest

from steplog_contracts.commands import RetryExecution
from steplog_contracts.events import ExecutionStarted, StepCompleted
from tests.executor.support import people_steps
from tests.executor.support.partition_harness import Owning


@pytest.fixture
async def failed() -> Owning:
    """Return an owner under which e-1 failed at its second step of three."""
    people_steps.FailsOnce.runs = 0
    owning = await Owning().begin()
    await owning.run("e-1", "Quick", "FailsOnce", "Quick")
    return owning


async def retry(owning: Owning, origin: str, new: str = "e-2") -> None:
    """Send the command."""
    await owning.send(RetryExecution(execution_id=new, origin_execution_id=origin), f"retry-{new}")


async def test_a_retry_takes_over_what_had_ended_and_goes_on_from_there(failed: Owning) -> None:
    await retry(failed, "e-1")

    assert failed.kinds("e-2") == [
        "ExecutionStarted", "StepStarted", "StepCompleted",  # Taken over.
        "StepStarted", "StepCompleted", "StepStarted", "StepCompleted", "ExecutionCompleted",
    ]  # fmt: skip


async def test_what_was_taken_over_is_the_origins_own_result(failed: Owning) -> None:
    await retry(failed, "e-1")

    first = [
        next(e.output for e in failed.history(execution_id) if isinstance(e, StepCompleted))
        for execution_id in ("e-1", "e-2")
    ]
    assert first[0] == first[1] == {"s1": "done"}


async def test_the_new_execution_names_its_origin(failed: Owning) -> None:
    await retry(failed, "e-1")

    started = failed.history("e-2")[0]
    assert isinstance(started, ExecutionStarted)
    assert started.origin is not None
    assert (started.origin.execution_id, started.origin.from_step) == ("e-1", "s2")
    assert started.command_id == "retry-e-2"


async def test_the_failed_execution_is_left_as_it_was(failed: Owning) -> None:
    before = failed.history("e-1")

    await retry(failed, "e-1")

    assert failed.history("e-1") == before


async def test_a_retry_of_a_success_is_refused(failed: Owning) -> None:
    await failed.run("e-5", "Quick")

    await retry(failed, "e-5")

    assert failed.refusals() == [("retry-e-2", "not_failed")]


async def test_a_retry_of_what_never_was_is_refused(failed: Owning) -> None:
    await retry(failed, "e-9")

    assert failed.refusals() == [("retry-e-2", "unknown_execution")]


async def test_a_retry_of_what_still_runs_is_refused(failed: Owning) -> None:
    await failed.run("e-6", "Forever")

    await retry(failed, "e-6")

    assert failed.refusals() == [("retry-e-2", "not_ended")]


async def test_the_same_retry_twice_begins_one_execution(failed: Owning) -> None:
    await retry(failed, "e-1")
    await retry(failed, "e-1")

    assert failed.kinds("e-2").count("ExecutionStarted") == 1
    assert failed.commit().command_offset == 3


async def test_a_retry_survives_a_restart(failed: Owning) -> None:
    await retry(failed, "e-1")
    after = await failed.restarted(commit=False)

    assert after.kinds("e-2").count("ExecutionStarted") == 1
    assert after.refusals() == []
