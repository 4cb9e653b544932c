"""A fork goes on from a recorded point of another execution, which stays as it is."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from executor_service.commands.fork import merge_patch
from steplog_contracts.commands import ForkExecution
from steplog_contracts.events import ExecutionStarted, StepStarted, StepWaiting
from tests.executor.support.partition_harness import Owning


@pytest.fixture
async def ended() -> Owning:
    """Return an owner under which e-1 completed in three steps."""
    owning = await Owning().begin()
    await owning.run("e-1", "Quick", "Quick", "Quick", input={"city": "Oslo", "deep": {"a": 1}})
    return owning


async def fork(owning: Owning, origin: str, step: str, new: str = "e-2", **fields: Any) -> None:
    """Send the command."""
    command = ForkExecution(execution_id=new, origin_execution_id=origin, from_step=step, **fields)
    await owning.send(command, f"fork-{new}")


def started(owning: Owning, execution_id: str) -> ExecutionStarted:
    """Return an execution's first event."""
    first = owning.history(execution_id)[0]
    assert isinstance(first, ExecutionStarted)
    return first


async def test_a_fork_takes_over_what_had_ended_before_the_step_began(ended: Owning) -> None:
    await fork(ended, "e-1", "s3")

    assert ended.kinds("e-2") == [
        "ExecutionStarted", "StepStarted", "StepCompleted", "StepStarted", "StepCompleted",
        "StepStarted", "StepCompleted", "ExecutionCompleted",
    ]  # fmt: skip
    assert ended.history("e-2")[1:5] == ended.history("e-1")[1:5]


async def test_a_fork_names_its_origin_and_the_last_event_taken_over(ended: Owning) -> None:
    await fork(ended, "e-1", "s3")

    origin = started(ended, "e-2").origin
    assert origin is not None
    assert (origin.execution_id, origin.kind, origin.from_step) == ("e-1", "fork", "s3")
    assert origin.at_seq == 5
    assert started(ended, "e-2").command_id == "fork-e-2"


async def test_a_fork_from_the_first_step_takes_nothing_over(ended: Owning) -> None:
    await fork(ended, "e-1", "s1")

    origin = started(ended, "e-2").origin
    assert origin is not None
    assert origin.at_seq == 1
    assert ended.kinds("e-2") == ended.kinds("e-1")


async def test_the_origin_is_left_as_it_was(ended: Owning) -> None:
    before = ended.history("e-1")

    await fork(ended, "e-1", "s2")

    assert ended.history("e-1") == before


async def test_a_patch_is_laid_over_the_input_and_reaches_the_step(ended: Owning) -> None:
    await fork(ended, "e-1", "s2", input_patch={"city": "Rome", "deep": {"b": 2}})

    assert started(ended, "e-2").input == {"city": "Rome", "deep": {"a": 1, "b": 2}}
    second = [e for e in ended.history("e-2") if isinstance(e, StepStarted)][1]
    assert second.input == {"city": "Rome", "deep": {"a": 1, "b": 2}, "s1": "done"}


async def test_a_patched_input_is_a_new_value_for_a_parameter_of_that_name(ended: Owning) -> None:
    await fork(ended, "e-1", "s1", input_patch={"city": "Rome"})

    assert started(ended, "e-2").parameters["city"] == "Rome"


async def test_a_patch_hidden_by_a_result_that_is_taken_over_is_refused(ended: Owning) -> None:
    """Step s1 wrote the key s1: what the input says there no later step would see."""
    await fork(ended, "e-1", "s2", input_patch={"s1": "other"})

    assert ended.refusals() == [("fork-e-2", "patch_without_effect")]


async def test_a_running_execution_is_forked_from_what_it_recorded(ended: Owning) -> None:
    await ended.run("e-3", "Quick", "Forever")
    await fork(ended, "e-3", "s2")

    assert ended.kinds("e-2") == ["ExecutionStarted", "StepStarted", "StepCompleted", "StepStarted"]
    assert ended.kinds("e-3") == ended.kinds("e-2")


async def test_a_question_taken_over_is_a_question_of_the_new_execution(ended: Owning) -> None:
    """Two executions with one interaction id would share a row of the read model."""
    await ended.run("e-3", "Ask", "Quick")
    await ended.resume("e-3", ok=True)
    await fork(ended, "e-3", "s2")

    asked = [
        next(e.interaction_id for e in ended.history(one) if isinstance(e, StepWaiting))
        for one in ("e-3", "e-2")
    ]
    assert asked[0] != asked[1]
    assert ended.kinds("e-2") == ended.kinds("e-3")


async def test_a_fork_from_a_question_asks_again(ended: Owning) -> None:
    await ended.run("e-3", "Ask", "Quick")
    await ended.resume("e-3", ok=True)
    await fork(ended, "e-3", "s1")

    assert ended.kinds("e-2") == ["ExecutionStarted", "StepStarted", "StepWaiting"]


@pytest.mark.parametrize(
    ("origin", "step", "fields", "code"),
    [
        ("e-9", "s1", {}, "unknown_execution"),
        ("e-1", "s9", {}, "unknown_step"),
        ("e-1", "s2", {"iteration": 2}, "step_not_reached"),
    ],
)
async def test_a_fork_from_nowhere_is_refused(
    ended: Owning, origin: str, step: str, fields: dict[str, int], code: str
) -> None:
    await fork(ended, origin, step, **fields)

    assert ended.refusals() == [("fork-e-2", code)]
    assert ended.history("e-2") == []


async def test_a_fork_survives_a_restart(ended: Owning) -> None:
    await fork(ended, "e-1", "s2")
    after = await ended.restarted(commit=False)

    assert after.kinds("e-2").count("ExecutionStarted") == 1
    assert after.refusals() == []


async def test_a_fork_can_be_forked(ended: Owning) -> None:
    await fork(ended, "e-1", "s2")
    await fork(ended, "e-2", "s3", new="e-4")

    assert ended.kinds("e-4") == ended.kinds("e-1")
    origin = started(ended, "e-4").origin
    assert origin is not None
    assert origin.execution_id == "e-2"


JSON = st.recursive(
    st.none() | st.integers() | st.text(max_size=3),
    lambda inner: st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=8,
)


@given(JSON, JSON)
def test_a_patch_laid_twice_is_as_laid_once(target: Any, patch: Any) -> None:
    """Neither argument changes, and nothing of the patch's nulls is left."""
    once = merge_patch(target, patch)

    assert merge_patch(once, patch) == once


@pytest.mark.parametrize(
    ("target", "patch", "result"),
    [
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": "foo"}, None, None),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
    ],
)
def test_a_patch_does_what_rfc_7396_says(target: Any, patch: Any, result: Any) -> None:
    """Cases of the RFC's appendix A, in other words and fewer."""
    assert merge_patch(target, patch) == result
