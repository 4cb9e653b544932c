"""A command is carried out once, recognised when it comes again, or refused with a reason."""

import pytest

from steplog_contracts.commands import RunPipeline
from steplog_contracts.envelope import Record
from steplog_contracts.events import ExecutionCancelled, ExecutionFailed
from tests.executor.support.partition_harness import Owning, linear


async def test_a_run_command_leads_to_an_execution_that_ends() -> None:
    owning = await Owning().begin()

    await owning.run("e-1", "Quick", "Quick")

    assert owning.kinds("e-1") == [
        "ExecutionStarted", "StepStarted", "StepCompleted", "StepStarted", "StepCompleted",
        "ExecutionCompleted",
    ]  # fmt: skip
    assert owning.commit().command_offset == 1


async def test_the_same_command_twice_has_the_effect_of_one() -> None:
    owning = await Owning().begin()
    command = RunPipeline(execution_id="e-1", definition=linear("Quick"))

    await owning.send(command, "same")
    await owning.send(command, "same")

    assert owning.kinds("e-1").count("ExecutionStarted") == 1
    assert owning.refusals() == []


async def test_another_command_for_an_existing_execution_is_refused() -> None:
    owning = await Owning().begin()

    await owning.run("e-1", "Quick")
    await owning.run("e-1", "Quick")

    assert owning.refusals() == [("c1", "duplicate_execution")]
    assert owning.kinds("e-1").count("ExecutionStarted") == 1


async def test_a_duplicate_of_a_parked_execution_is_refused_after_a_restart() -> None:
    before = await Owning().begin()
    await before.run("e-1", "Ask")
    after = await before.restarted()

    await after.run("e-1", "Ask")

    assert after.refusals() == [("c1", "duplicate_execution")]


@pytest.mark.parametrize(
    ("definition", "code"),
    [
        ({"name": "x"}, "bad_definition"),
        (linear("Quick") | {"steps": [{"id": "s1", "module": "os", "step_class": "x"}]},
         "bad_definition"),
        (linear("Missing"), "bad_definition"),
    ],
    ids=["no steps", "module off the allowlist", "missing class"],
)  # fmt: skip
async def test_a_definition_that_can_not_run_is_refused(
    definition: dict[str, object], code: str
) -> None:
    owning = await Owning().begin()

    await owning.send(RunPipeline(execution_id="e-1", definition=definition))
    await owning.run("e-2", "Quick")

    assert owning.refusals() == [("c0", code)]
    assert owning.kinds("e-2")[-1] == "ExecutionCompleted"


async def test_an_input_that_is_no_object_is_refused() -> None:
    owning = await Owning().begin()

    await owning.run("e-1", "Quick", input=[1, 2])

    assert owning.refusals() == [("c0", "bad_input")]


async def test_a_command_with_nothing_to_run_is_refused() -> None:
    owning = await Owning().begin()

    await owning.send(RunPipeline(execution_id="e-1"))
    await owning.send(RunPipeline(execution_id="e-2", pipeline="../etc/passwd"))

    assert owning.refusals() == [("c0", "bad_command"), ("c1", "unknown_pipeline")]


async def test_a_record_in_the_wrong_partition_is_refused() -> None:
    owning = await Owning().begin()
    owning.partition_of = lambda _: 5

    await owning.run("e-1", "Quick")

    assert owning.refusals() == [("c0", "wrong_partition")]


async def test_a_command_that_is_not_json_is_refused_where_it_has_an_id() -> None:
    owning = await Owning().begin()
    headers = [("ce_id", b"c-bad"), ("ce_subject", b"e-1"), ("ce_source", b"/x"),
               ("ce_time", b"2026-01-01T00:00:00Z"),
               ("ce_type", b"steplog.command.run_pipeline.v1")]  # fmt: skip

    await owning.send_record(Record(b"e-1", b"{oops", headers))

    assert owning.refusals() == [("c-bad", "bad_json")]


async def test_a_command_of_an_unknown_type_is_refused() -> None:
    owning = await Owning().begin()
    headers = [("ce_id", b"c-new"), ("ce_subject", b"e-1"), ("ce_type", b"steplog.command.fly.v9")]

    await owning.send_record(Record(b"e-1", b"{}", headers))

    assert owning.refusals() == [("c-new", "unknown_command")]


async def test_garbage_is_set_aside_and_the_partition_goes_on() -> None:
    owning = await Owning().begin()

    await owning.send_record(Record(None, b"\xff\xfe", []))
    await owning.run("e-1", "Quick")

    assert [reason for _, reason in owning.set_aside] != []
    assert owning.kinds("e-1")[-1] == "ExecutionCompleted"
    assert owning.commit().command_offset == 2


async def test_cancel_ends_a_running_execution_and_says_which_command_did() -> None:
    owning = await Owning().begin()
    await owning.run("e-1", "Forever")

    await owning.cancel("e-1")

    assert isinstance(owning.history("e-1")[-1], ExecutionCancelled)
    assert owning.events.taken()[-1].envelope.causation_id == "c1"
    assert owning.commit().command_offset == 2


async def test_cancel_ends_a_parked_execution() -> None:
    owning = await Owning().begin()
    await owning.run("e-1", "Ask")

    await owning.cancel("e-1")

    assert owning.kinds("e-1")[-2:] == ["StepCancelled", "ExecutionCancelled"]


@pytest.mark.parametrize("ended", [True, False])
async def test_a_cancel_that_comes_too_late_or_for_nothing_is_refused(ended: bool) -> None:
    owning = await Owning().begin()
    if ended:
        await owning.run("e-1", "Quick")

    await owning.cancel("e-1")

    assert [code for _, code in owning.refusals()] == [
        "execution_ended" if ended else "unknown_execution"
    ]


async def test_a_second_answer_is_refused() -> None:
    owning = await Owning().begin()
    await owning.run("e-1", "Ask", "Forever")

    await owning.resume("e-1", approved=True)
    await owning.resume("e-1", approved=False)

    assert [command for command, _ in owning.refusals()] == ["c2"]


async def test_a_failing_step_fails_its_execution_and_no_other() -> None:
    owning = await Owning().begin()

    await owning.run("e-1", "Failing")
    await owning.run("e-2", "Quick")

    failed = owning.history("e-1")[-1]
    assert isinstance(failed, ExecutionFailed)
    assert failed.error.message == "no such luck"
    assert owning.kinds("e-2")[-1] == "ExecutionCompleted"
