"""Users test their definitions with one fixture: real runs, and the history to assert on."""

import pytest

from steplog.errors import CommandWasRefused, NotAnswered
from steplog.pytest_plugin import RunPipeline
from tests.steplog.cli.plain_steps import chain, definition


def test_a_definition_runs_and_its_history_is_there(steplog_run: RunPipeline) -> None:
    ran = steplog_run(chain("Greet"), {"name": "Ada"})

    ran.assert_completed()
    assert ran.path == ["greet"]
    assert ran.output == {"name": "Ada", "greeting": "Hello, Ada"}
    assert ran.step("greet").output_data == {"greeting": "Hello, Ada"}
    assert [type(event).__name__ for event in ran.events] == [
        "ExecutionStarted", "StepStarted", "StepCompleted", "ExecutionCompleted",
    ]  # fmt: skip


def test_a_file_of_a_definition_will_do(steplog_run: RunPipeline) -> None:
    ran = steplog_run("examples/square_root/pipeline.json", {"number": 2})

    ran.assert_completed()


async def test_a_test_that_is_a_coroutine_can_run_definitions_too(steplog_run: RunPipeline) -> None:
    steplog_run(chain("Greet"), {"name": "Ada"}).assert_completed()


def test_answers_are_given_for_people(steplog_run: RunPipeline) -> None:
    ran = steplog_run(chain("Ask", "Greet"), {"name": "Bo"}, answers={"ask": {"baked": True}})

    ran.assert_completed()
    assert ran.output["baked"] is True


def test_a_question_nobody_answers_is_told(steplog_run: RunPipeline) -> None:
    with pytest.raises(NotAnswered, match="Step 'ask' asks a person"):
        steplog_run(chain("Ask"), {})


def test_a_failure_is_asserted_on_with_its_step_and_message(steplog_run: RunPipeline) -> None:
    ran = steplog_run(definition("Fail"))

    ran.assert_failed("only", saying="the oven is cold")
    with pytest.raises(AssertionError, match=r"the execution failed: .*the oven is cold"):
        ran.assert_completed()
    with pytest.raises(AssertionError, match="'warm' is not in the error"):
        ran.assert_failed("only", saying="warm")
    with pytest.raises(AssertionError, match="step 'other' has no visit 1"):
        ran.step("other")


def test_a_definition_that_would_be_refused_is_refused(steplog_run: RunPipeline) -> None:
    with pytest.raises(CommandWasRefused, match="STEPLOG_STEP_MODULES"):
        steplog_run(chain("Greet"), {}, step_modules=["elsewhere"])
