"""An execution that waits long for a time holds neither memory, slot nor mark meanwhile."""

from datetime import timedelta

from steplog_contracts.payload import JsonObject
from tests.executor.support.fakes import settle
from tests.executor.support.partition_harness import PARTITION, Owning, linear
from tests.executor.support.people_steps import FailsOnce

HOUR_S = 3_600


def retrying(delay_s: float) -> JsonObject:
    """Return a definition whose step fails once and is tried again after a delay."""
    definition = linear("FailsOnce", "Quick")
    retry = {"max_attempts": 2, "initial_delay": delay_s, "max_delay": delay_s, "jitter": False}
    definition["steps"][0]["error_handling"] = {"retry": retry}
    FailsOnce.runs = 0
    return definition


async def test_a_delayed_start_holds_nothing_and_begins_in_time() -> None:
    owning = await Owning().begin()
    await owning.run("e-1", "Quick", not_before=owning.at(HOUR_S))
    point, in_use = owning.commit(), owning.slots.in_use

    owning.clock.move(timedelta(seconds=HOUR_S))
    await settle()

    assert (point.command_offset, in_use) == (1, 0)
    assert point.mark > 1
    assert owning.kinds("e-1")[-1] == "ExecutionCompleted"


async def test_a_long_retry_delay_survives_a_restart_without_its_events_being_read() -> None:
    before = await Owning().begin()
    await before.run_definition("e-1", retrying(HOUR_S))
    after = await before.restarted()
    begin, end = after.events.reads[-1]

    after.clock.move(timedelta(seconds=HOUR_S))
    await settle()

    assert end - begin == 1
    assert after.kinds("e-1") == [
        "ExecutionStarted", "StepStarted", "StepAttemptFailed", "StepStarted", "StepCompleted",
        "StepStarted", "StepCompleted", "ExecutionCompleted",
    ]  # fmt: skip


async def test_a_delay_lasts_no_longer_where_the_clock_was_set_back_between_two_processes() -> None:
    delay_s = 5
    before = await Owning().begin()
    await before.run_definition("e-1", retrying(delay_s))
    before.clock.move(timedelta(seconds=-10 * HOUR_S))
    after = await before.restarted()

    after.clock.move(timedelta(seconds=delay_s - 1))
    await settle()
    too_early = after.kinds("e-1")
    after.clock.move(timedelta(seconds=1))
    await settle()

    assert too_early[-1] == "StepAttemptFailed"
    assert after.kinds("e-1")[-1] == "ExecutionCompleted"


async def test_a_start_that_a_person_timed_stays_at_its_time_when_the_clock_is_set_back() -> None:
    before = await Owning().begin()
    await before.run("e-1", "Quick", not_before=before.at(HOUR_S))
    before.clock.move(timedelta(seconds=-HOUR_S))
    after = await before.restarted()

    after.clock.move(timedelta(seconds=2 * HOUR_S - 1))
    await settle()
    too_early = after.kinds("e-1")
    after.clock.move(timedelta(seconds=1))
    await settle()

    assert "StepStarted" not in too_early
    assert after.kinds("e-1")[-1] == "ExecutionCompleted"


async def test_a_short_delay_is_waited_for_in_memory() -> None:
    owning = await Owning().begin()

    await owning.run_definition("e-1", retrying(5))

    assert owning.slots.in_use == 1
    # The claim alone: nothing was set down.
    assert len(owning.parked.partitions[PARTITION]) == 1


async def test_a_crowd_that_is_due_at_once_runs_a_few_at_a_time() -> None:
    owning = await Owning(capacity=3).begin()
    for number in range(20):
        await owning.run(f"e-{number}", "Forever", not_before=owning.at(HOUR_S))

    owning.clock.move(timedelta(seconds=HOUR_S))
    await settle()

    assert owning.slots.in_use == 3


async def test_a_cancel_ends_what_was_set_down_until_later() -> None:
    owning = await Owning().begin()
    await owning.run("e-1", "Quick", not_before=owning.at(HOUR_S))

    await owning.cancel("e-1")

    assert owning.kinds("e-1")[-1] == "ExecutionCancelled"
    assert owning.slots.in_use == 0
