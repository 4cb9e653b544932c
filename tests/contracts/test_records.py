"""How many steps an execution has to complete."""

from steplog_contracts.records import steps_to_complete


def test_a_completed_execution_is_whole_without_the_steps_no_path_led_to() -> None:
    assert steps_to_complete("completed", 6, 0, 7) == 6


def test_one_that_went_on_from_a_failure_is_not_whole() -> None:
    assert steps_to_complete("completed", 5, 1, 7) == 6


def test_before_its_end_every_declared_step_counts() -> None:
    assert steps_to_complete("running", 2, 0, 7) == 7
