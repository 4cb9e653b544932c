"""Answers that come as commands are held to the question, whoever sends them."""

import pytest

from steplog_contracts.commands import ResumeExecution, RunPipeline
from steplog_contracts.events import StepResumed, StepWaiting
from tests.executor.support.partition_harness import Owning, linear


async def asked(answer: ResumeExecution) -> Owning:
    """Return an owner whose one execution asked Ann and was sent an answer."""
    owning = await Owning().begin()
    await owning.send(RunPipeline(execution_id="e-1", definition=linear("AskAnn")), "c0")
    await owning.send(answer, "c1")
    return owning


def outcome(owning: Owning) -> str:
    """Return the code of the refusal, or that the answer was taken."""
    taken = any(isinstance(event, StepResumed) for event in owning.history("e-1"))
    return "taken" if taken else owning.refusals()[0][1]


@pytest.mark.parametrize(
    ("given", "became"),
    [
        ({"human_input": {}}, "answer_refused"),
        ({"human_input": {"ok": "yes"}}, "answer_refused"),
        ({"human_input": {"ok": True}}, "taken"),
        ({"human_input": {"ok": True}, "requested_by": "ann"}, "taken"),
        ({"human_input": {"ok": True}, "requested_by": "bob"}, "not_assigned"),
        ({"human_input": {"ok": True}, "requested_by": "bob", "any_assignee": True}, "taken"),
        ({"human_input": {}, "requested_by": "bob", "any_assignee": True}, "answer_refused"),
    ],
)
async def test_an_answer_is_taken_or_refused_by_the_question(
    given: dict[str, object], became: str
) -> None:
    owning = await asked(ResumeExecution.model_validate({"execution_id": "e-1", **given}))

    assert outcome(owning) == became


async def test_a_single_name_is_recorded_as_a_list() -> None:
    owning = await asked(ResumeExecution(execution_id="e-1"))

    (waiting,) = [e for e in owning.history("e-1") if isinstance(e, StepWaiting)]
    assert waiting.assigned_users == ["ann"]
