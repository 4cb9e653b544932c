"""Waits of hours and days take milliseconds; stubs and crashes are as the test says."""

import time

import pytest

from executor_service import DefinitionRefused
from steplog.errors import NotAnswered
from steplog.pytest_plugin import RunPipeline
from steplog.testing.definition_run import EVERY_EVENT
from steplog_contracts.events import ExecutionStarted, StepAttemptFailed, StepStarted
from tests.steplog.testing import waiting_steps as waiting


def test_retries_after_hours_and_a_wait_of_a_month_are_skipped(steplog_run: RunPipeline) -> None:
    began_s = time.monotonic()
    ran = steplog_run(
        waiting.orders,
        {"amount": 5},
        clock="virtual",
        stubs={"charge": [waiting.Timeout, waiting.Timeout("again"), {"charged": 7}]},
    )

    ran.assert_completed()
    assert ran.output["shipped"] == 7
    assert sum(isinstance(event, StepAttemptFailed) for event in ran.events) == 2
    took = ran.execution.completed_at - ran.execution.started_at  # type: ignore[operator]
    assert took.total_seconds() > waiting.A_MONTH_S + waiting.AN_HOUR_S
    assert time.monotonic() - began_s < 60


def test_a_stub_never_imports_its_module(steplog_run: RunPipeline) -> None:
    ran = steplog_run(waiting.unimportable, {"x": 2}, stubs={"far": lambda data: data["x"] * 2})

    ran.assert_completed()
    assert ran.step("far").output_data == 4
    started = ran.events[0]
    assert isinstance(started, ExecutionStarted)
    assert started.definition == waiting.unimportable


def test_a_stub_stands_for_the_step_of_each_item(steplog_run: RunPipeline) -> None:
    ran = steplog_run(waiting.prices, stubs={"each_price": lambda data: data["item"] * 10})

    assert ran.step("each_price").output_data == [10, 20, 30]


def test_a_stub_that_is_used_up_fails_its_step(steplog_run: RunPipeline) -> None:
    ran = steplog_run(waiting.orders, clock="virtual", stubs={"charge": []})

    ran.assert_failed("charge", saying="has no outcome left to give")


def test_a_stub_of_no_step_is_refused(steplog_run: RunPipeline) -> None:
    with pytest.raises(DefinitionRefused, match="no step 'chrage' to put a stub in place of"):
        steplog_run(waiting.orders, stubs={"chrage": 1})


def test_a_deadline_passes_in_virtual_time(steplog_run: RunPipeline) -> None:
    ran = steplog_run(waiting.late, clock="virtual", stubs={"charge": {"charged": 1}})

    assert "deadline" in str(ran.execution.error_message)


def test_a_question_is_answered_before_it_expires(steplog_run: RunPipeline) -> None:
    ran = steplog_run(waiting.asking, {"charged": 3}, clock="virtual", answers={"ask": {"ok": 1}})

    ran.assert_completed()
    assert ran.path == ["ask", "charge"]


def test_a_question_that_nobody_answers_expires(steplog_run: RunPipeline) -> None:
    ran = steplog_run(waiting.asking, {"charged": 3}, clock="virtual")

    ran.assert_completed()
    assert "ship" in ran.path


def test_without_a_virtual_clock_an_unanswered_question_is_told(steplog_run: RunPipeline) -> None:
    with pytest.raises(NotAnswered, match="Step 'ask' asks a person"):
        steplog_run(waiting.asking, {"charged": 3})


def test_a_crash_after_a_step_does_not_run_it_again(steplog_run: RunPipeline) -> None:
    waiting.CHARGES.clear()

    ran = steplog_run(waiting.orders, {"amount": 4}, clock="virtual", crash_after="charge")

    ran.assert_completed()
    assert waiting.CHARGES == [4]


def test_a_crash_after_every_event_comes_to_the_same_end(steplog_run: RunPipeline) -> None:
    ran = steplog_run(waiting.late, {"amount": 4}, clock="virtual", crash_after=EVERY_EVENT)

    assert "deadline" in str(ran.execution.error_message)
    assert sum(isinstance(event, StepStarted) for event in ran.events) == 1


def test_a_crash_that_shows_in_the_output_is_told(steplog_run: RunPipeline) -> None:
    counted: list[int] = []

    def count(_: object) -> dict[str, int]:
        counted.append(1)
        return {"runs": len(counted)}

    with pytest.raises(AssertionError, match=r"after a crash behind event \d+ the execution comp"):
        steplog_run(waiting.unimportable, stubs={"far": count}, crash_after=EVERY_EVENT)


def test_a_crash_after_a_step_that_never_completes_is_told(steplog_run: RunPipeline) -> None:
    with pytest.raises(AssertionError, match="step 'shop' never completed"):
        steplog_run(waiting.prices, crash_after="shop")
