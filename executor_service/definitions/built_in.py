"""Steps that are part of the language, as the steps of a class of ours that they are run by."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

from executor_service.engine.waits import due_time
from executor_service.errors import InvalidWait, RecordRefused
from executor_service.steps.topic_policy import refuse_wrong_name
from steplog_contracts.definition_parts import ErrorHandling
from steplog_contracts.step_types import (
    BuiltInStep,
    HttpStep,
    KafkaStep,
    PipelineStep,
    StepDefinition,
    TaskStep,
    WaitStep,
)

Report = Callable[[str, str, str], None]
# Of a request with all it is sent on to, or of a record until a broker has it, where
# `error_handling` sets no other limit.
DEFAULT_SECONDS: Final = 30.0
_ANY_TIME: Final = datetime(2020, 1, 1, tzinfo=UTC)


def task_of(step: StepDefinition, where: str, problem: Report) -> TaskStep:
    """Return what stands for a step that names no class: its settings are the configuration."""
    if isinstance(step, PipelineStep):
        return TaskStep(
            id=step.id,
            error_handling=step.error_handling,
            output_schema=step.output_schema,
            compensate=False if step.compensate is None else step.compensate,
        )
    if not isinstance(step, BuiltInStep):
        return TaskStep(id=step.id)
    if isinstance(step, WaitStep):
        _check_wait(step, where, problem)
    if isinstance(step, KafkaStep):
        _check_topic(step, where, problem)
    handling = output_schema = None
    if isinstance(step, HttpStep | KafkaStep):
        handling = step.error_handling or ErrorHandling()
        if handling.timeout_seconds is None:
            handling = handling.model_copy(update={"timeout_seconds": DEFAULT_SECONDS})
        output_schema = step.output_schema
    return TaskStep(
        id=step.id, config=step.settings(), error_handling=handling, output_schema=output_schema
    )


def _check_topic(step: KafkaStep, where: str, problem: Report) -> None:
    if "{{" in step.topic:
        return  # What it comes to is told when the step is reached.
    try:
        refuse_wrong_name(step.topic)
    except RecordRefused as error:
        problem(f"{where}.topic", str(error), "")


def _check_wait(step: WaitStep, where: str, problem: Report) -> None:
    if (step.seconds is None) == (step.until is None):
        problem(where, "A wait has either 'seconds' or 'until'.", "give one of them")
        return
    key = "seconds" if step.until is None else "until"
    written = getattr(step, key)
    if isinstance(written, str) and "{{" in written:
        return  # What it comes to is told when the step is reached.
    try:
        due_time({key: written}, _ANY_TIME if key == "seconds" else datetime.now(UTC))
    except InvalidWait as error:
        problem(f"{where}.{key}", str(error), "")
