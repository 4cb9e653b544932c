"""Events made on the short way are those that pydantic would have made."""

from executor_service.engine.step_events import (
    execution_completed,
    execution_started,
    step_completed,
    step_started,
)
from steplog_contracts.codec import decode_event
from steplog_contracts.encoder import ExecutionEncoder
from steplog_contracts.events import (
    ErrorInfo,
    Event,
    ExecutionCompleted,
    ExecutionStarted,
    StepCompleted,
    StepStarted,
)

ERROR = ErrorInfo(type="ValueError", message="bad")


def through_the_wire(event: Event) -> Event:
    encoder = ExecutionEncoder("e", source="/test")
    record = encoder.encode(event, seq=1, time=b"2026-03-01T12:00:00.000000+00:00")
    return decode_event(record.value, record.headers).event


def test_a_beginning_is_the_same_as_a_validated_one() -> None:
    given = {
        "pipeline_id": "p", "pipeline_name": "P", "definition": {"name": "P"},
        "definition_hash": "0", "input": {"x": 1}, "parameters": {"x": 1}, "metadata": {},
        "total_steps": 2,
    }  # fmt: skip
    made = execution_started(**given)

    validated = ExecutionStarted(**given)
    assert made == validated == through_the_wire(made)
    assert made.model_dump_json() == validated.model_dump_json()
    assert list(vars(made)) == list(ExecutionStarted.model_fields)


def test_a_start_is_the_same_as_a_validated_one() -> None:
    made = step_started("a", 2, 3, "A", "task", {"x": [1]})

    validated = StepStarted(
        step_id="a", iteration=2, attempt=3, step_name="A", step_type="task", input={"x": [1]}
    )
    assert made == validated == through_the_wire(made)
    assert made.model_dump_json() == validated.model_dump_json()
    assert set(vars(made)) == set(StepStarted.model_fields)


def test_an_end_is_the_same_as_a_validated_one() -> None:
    made = step_completed("a", 2, 3, [None], (0, 4), 1.5, ERROR)

    validated = StepCompleted(
        step_id="a", iteration=2, attempt=3, output=[None], taken=(0, 4), duration_ms=1.5,
        used_fallback=True, error=ERROR,
    )  # fmt: skip
    assert made == validated == through_the_wire(made)
    assert made.model_dump_json() == validated.model_dump_json()
    assert set(vars(made)) == set(StepCompleted.model_fields)


def test_a_changed_copy_leaves_the_events_made_later_as_they_are() -> None:
    before = step_started("a", 1, 1, "A", "task", None)
    named = set(before.model_fields_set)
    changed = before.model_copy(update={"input": {"x": 1}})
    changed.model_fields_set.discard("input")

    made = step_started("a", 1, 1, "A", "task", None)

    assert made.model_fields_set == named


def test_an_executions_end_is_the_same_as_a_validated_one() -> None:
    made = execution_completed({"x": [None, 1.5]}, 2.5)

    validated = ExecutionCompleted(output={"x": [None, 1.5]}, duration_ms=2.5)
    assert made == validated == through_the_wire(made)
    assert made.model_dump_json() == validated.model_dump_json()
    assert set(vars(made)) == set(ExecutionCompleted.model_fields)
