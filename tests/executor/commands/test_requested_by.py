"""Who sent a command stands in the log beside what came of it."""

from steplog_contracts.commands import (
    CancelExecution,
    Command,
    ResumeExecution,
    RetryExecution,
    RunPipeline,
)
from steplog_contracts.events import (
    CommandRefused,
    Event,
    ExecutionCancelled,
    ExecutionStarted,
    StepResumed,
)
from tests.executor.support import people_steps
from tests.executor.support.partition_harness import PARTITION, Owning, linear


async def sent(*commands: Command) -> Owning:
    """Return an owner that was sent the commands one after another."""
    people_steps.FailsOnce.runs = 0
    owning = await Owning().begin()
    for number, command in enumerate(commands):
        await owning.send(command, f"c{number}")
    return owning


def run(*steps: str) -> RunPipeline:
    """A command of Ann's."""
    return RunPipeline(execution_id="e-1", definition=linear(*steps), requested_by="ann")


def the(kind: type[Event], owning: Owning, execution_id: str = "e-1") -> str | None:
    """Return who asked, by an execution's event of a kind."""
    (event,) = [event for event in owning.history(execution_id) if isinstance(event, kind)]
    who = getattr(event, "requested_by", None) or getattr(event, "responded_by", None)
    assert who is None or isinstance(who, str)
    return who


async def test_a_beginning_an_answer_and_a_cancel_name_their_callers() -> None:
    owning = await sent(
        run("Ask", "Ask"),
        ResumeExecution(execution_id="e-1", human_input={}, requested_by="bob"),
        CancelExecution(execution_id="e-1", requested_by="cleo"),
    )

    assert the(ExecutionStarted, owning) == "ann"
    assert the(StepResumed, owning) == "bob"
    assert the(ExecutionCancelled, owning) == "cleo"


async def test_a_retry_names_who_asked_for_it_not_for_its_origin() -> None:
    retry = RetryExecution(execution_id="e-2", origin_execution_id="e-1", requested_by="dora")
    owning = await sent(run("FailsOnce"), retry)

    assert the(ExecutionStarted, owning) == "ann"
    assert the(ExecutionStarted, owning, "e-2") == "dora"


async def test_a_refusal_names_whose_command_it_was() -> None:
    owning = await sent(run("Quick"), run("Quick"))

    (refused,) = [
        recorded.event
        for recorded in owning.events.taken(PARTITION)
        if isinstance(recorded.event, CommandRefused)
    ]
    assert (refused.code, refused.requested_by) == ("duplicate_execution", "ann")
