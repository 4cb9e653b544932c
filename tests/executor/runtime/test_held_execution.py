"""An execution whose code is gone can be cancelled, and says why nothing else can be done."""

import pytest

from executor_service.definitions.catalogue import DefinitionCatalogue
from executor_service.definitions.step_loader import Allowlist
from steplog_contracts.commands import RetryExecution
from steplog_contracts.events import CommandRefused
from tests.executor.support.fakes import settle
from tests.executor.support.partition_harness import PARTITION, Owning


async def without_code(before: Owning) -> Owning:
    """Return the next process, in which the modules of the steps are not on the allowlist."""
    await before.owner.save_ids()
    before.commit()
    await before.owner.release()
    after = Owning(
        before.events, before.parked, before.clock, before.committed, before.commands,
        before.payloads, before.seen,
    )  # fmt: skip
    after.context.catalogue = DefinitionCatalogue(Allowlist(), None)
    return await after.begin()


@pytest.fixture
async def owning() -> Owning:
    """Return a process that owns the partition."""
    return await Owning().begin()


def messages(owning: Owning) -> dict[str, str]:
    """Return the texts of all refusals by code."""
    taken = [recorded.event for recorded in owning.events.taken(PARTITION)]
    return {event.code: event.message for event in taken if isinstance(event, CommandRefused)}


async def test_a_held_execution_that_waits_for_a_person_is_cancelled(owning: Owning) -> None:
    await owning.run("e1", "Ask")
    after = await without_code(owning)

    await after.cancel("e1")
    await settle()

    assert after.kinds("e1")[-2:] == ["StepCancelled", "ExecutionCancelled"]
    assert after.refusals() == []
    assert (await after.restarted()).kinds("e1") == after.kinds("e1")


async def test_a_held_execution_refuses_an_answer_with_the_reason(owning: Owning) -> None:
    await owning.run("e1", "Ask")
    after = await without_code(owning)

    await after.resume("e1", ok=True)
    await settle()

    assert [code for _, code in after.refusals()] == ["execution_held"]
    assert "allowlist" in messages(after)["execution_held"]
    assert after.kinds("e1")[-1] == "StepWaiting"


async def test_a_held_execution_goes_on_where_its_code_is_back(owning: Owning) -> None:
    await owning.run("e1", "Ask")
    after = await without_code(owning)
    await after.resume("e1", ok=True)
    back = await after.restarted()

    await back.resume("e1", ok=True)
    await settle()

    assert back.kinds("e1")[-1] == "ExecutionCompleted"


async def test_a_retry_of_a_held_execution_says_that_it_can_be_cancelled(owning: Owning) -> None:
    await owning.run("e1", "Ask")
    after = await without_code(owning)

    await after.send(RetryExecution(execution_id="e2", origin_execution_id="e1"))
    await after.cancel("e1")
    await settle()

    assert [code for _, code in after.refusals()] == ["not_ended"]
    assert after.kinds("e1")[-1] == "ExecutionCancelled"
