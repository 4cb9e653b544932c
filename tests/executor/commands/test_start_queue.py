"""Commands that wait for room: in which order they begin, and what can happen to them meanwhile."""

import pytest

from executor_service.commands import start_queue
from steplog_contracts.commands import ResumeExecution, RunPipeline
from steplog_contracts.events import ExecutionCancelled, ExecutionStarted
from steplog_contracts.payload import JsonObject
from tests.executor.support.fakes import settle
from tests.executor.support.partition_harness import PARTITION, Owning, linear


def at_most(count: int, *classes: str) -> JsonObject:
    """Return a definition with so many executions at once."""
    return linear(*classes) | {"name": "narrow", "max_concurrency": count}


def keyed(*classes: str, per_key: int | None = None) -> JsonObject:
    """Return a definition whose executions are bounded by key."""
    bound = {} if per_key is None else {"max_concurrency_per_key": per_key}
    return linear(*classes) | bound


def begun(owning: Owning) -> list[str]:
    """Return the executions in the order they began."""
    return [
        recorded.envelope.execution_id
        for recorded in owning.events.taken(PARTITION)
        if isinstance(recorded.event, ExecutionStarted)
    ]


async def test_a_higher_priority_begins_first_and_equals_in_order_of_arrival() -> None:
    owning = await Owning(capacity=1).begin()
    await owning.run("first", "Forever")
    for name, priority in (("low", -1), ("plain", 0), ("plain too", 0), ("high", 9)):
        await owning.run(name.replace(" ", "-"), "Quick", priority=priority)

    await owning.cancel("first")

    assert begun(owning) == ["first", "high", "plain", "plain-too", "low"]


async def test_what_began_out_of_order_is_committed_in_order() -> None:
    owning = await Owning(capacity=1).begin()
    await owning.run("first", "Forever")
    await owning.run("plain", "Forever")
    await owning.run("high", "Quick", priority=1)
    await owning.cancel("first")
    point = owning.commit()

    assert begun(owning) == ["first", "high", "plain"]
    assert point.command_offset == 1
    assert point.mark < len(owning.events.partitions[PARTITION])


async def test_after_a_crash_what_waited_comes_again_and_what_ended_does_not() -> None:
    owning = await Owning(capacity=1).begin()
    await owning.run("first", "Forever")
    await owning.run("plain", "Quick")
    await owning.run("high", "Forever", priority=1)
    await owning.cancel("first")

    after = await owning.restarted()
    await after.cancel("high")

    assert begun(after) == ["first", "high", "plain"]
    assert after.kinds("plain")[-1] == "ExecutionCompleted"
    assert after.commit().command_offset == len(after.commands)


async def test_a_pipeline_at_its_limit_holds_up_no_other() -> None:
    owning = await Owning().begin()
    for number in range(4):
        await owning.run_definition(f"narrow-{number}", at_most(2, "Forever"))
    await owning.run("other", "Quick")

    assert begun(owning) == ["narrow-0", "narrow-1", "other"]
    await owning.cancel("narrow-1")
    assert begun(owning)[3:] == ["narrow-2"]


async def test_executions_of_one_key_run_one_after_the_other() -> None:
    owning = await Owning().begin()
    for number in range(3):
        await owning.run_definition(f"a-{number}", keyed("Forever"), concurrency_key="a")
    await owning.run_definition("b-0", keyed("Forever"), concurrency_key="b")
    await owning.cancel("a-0")

    assert begun(owning) == ["a-0", "b-0", "a-1"]


async def test_a_definition_may_allow_more_for_a_key() -> None:
    owning = await Owning().begin()
    for number in range(3):
        definition = keyed("Forever", per_key=2)
        await owning.run_definition(f"a-{number}", definition, concurrency_key="a")

    assert begun(owning) == ["a-0", "a-1"]


@pytest.mark.parametrize("restart", [False, True], ids=["same owner", "after a restart"])
async def test_an_execution_that_waits_for_a_person_keeps_its_key(restart: bool) -> None:
    owning = await Owning().begin()
    await owning.run_definition("a-0", keyed("Ask"), concurrency_key="a")
    owning = await owning.restarted() if restart else owning
    await owning.run_definition("a-1", keyed("Quick"), concurrency_key="a")
    waiting = begun(owning)

    await owning.resume("a-0", approved=True)

    assert waiting == ["a-0"]
    assert begun(owning) == ["a-0", "a-1"]


async def test_a_running_execution_keeps_its_key_through_a_crash() -> None:
    owning = await Owning().begin()
    await owning.run_definition("a-0", keyed("Forever"), concurrency_key="a")
    after = await owning.restarted()

    await after.run_definition("a-1", keyed("Quick"), concurrency_key="a")

    assert begun(after) == ["a-0"]


async def test_a_key_of_another_partition_is_refused() -> None:
    owning = await Owning().begin()
    owning.partition_of = lambda name: 5 if name == "elsewhere" else PARTITION

    await owning.run_definition("e-1", keyed("Quick"), concurrency_key="elsewhere")

    assert owning.refusals() == [("c0", "key_elsewhere")]


async def test_a_cancel_of_what_waits_is_recorded_and_no_step_of_it_runs() -> None:
    owning = await Owning(capacity=1).begin()
    await owning.run("first", "Forever")
    await owning.run("waits", "Quick")

    await owning.cancel("waits")

    assert owning.kinds("waits") == ["ExecutionStarted", "ExecutionCancelled"]
    assert isinstance(owning.history("waits")[-1], ExecutionCancelled)
    assert owning.refusals() == []
    await owning.cancel("first")
    assert owning.commit().command_offset == len(owning.commands)


async def test_an_answer_to_what_waits_is_refused() -> None:
    owning = await Owning(capacity=1).begin()
    await owning.run("first", "Forever")
    await owning.run("waits", "Ask")

    await owning.send(ResumeExecution(execution_id="waits"), "early")

    assert owning.refusals() == [("early", "not_started")]


async def test_a_repeat_of_what_waits_is_recognised_and_another_command_refused() -> None:
    owning = await Owning(capacity=1).begin()
    await owning.run("first", "Forever")
    command = RunPipeline(execution_id="waits", definition=linear("Quick"))
    await owning.send(command, "same")
    await owning.send(command, "same")
    await owning.send(command, "other")
    await owning.cancel("first")

    assert begun(owning) == ["first", "waits"]
    assert owning.refusals() == [("other", "duplicate_execution")]
    assert owning.commit().command_offset == len(owning.commands)


async def test_a_full_room_takes_no_more_until_it_empties() -> None:
    owning = await Owning(capacity=1).begin()
    await owning.run("first", "Forever")
    for number in range(owning.context.max_waiting_commands):
        await owning.run(f"waits-{number}", "Quick")
    full = owning.owner.free

    await owning.cancel("first")
    await settle()

    assert full == 0
    assert owning.owner.free > 0


async def test_a_partition_runs_only_so_far_ahead_of_what_waits(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(start_queue, "MAX_AHEAD", 10)
    owning = await Owning().begin()
    await owning.run_definition("a-0", keyed("Forever"), concurrency_key="a")
    await owning.run_definition("a-1", keyed("Forever"), concurrency_key="a")
    for number in range(10):
        await owning.run(f"other-{number}", "Quick")
    ahead = owning.owner.free

    await owning.cancel("a-0")

    assert ahead == 0
    assert owning.owner.free > 0
