"""Steps that are part of the language, as the steps of a class of ours that they are run by."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

from executor_service.engine.waits import due_time
from executor_service.errors import InvalidWait
from steplog_contracts.definition_parts import ErrorHandling
from steplog_contracts.step_types import (
    BuiltInStep,
    HttpStep,
    PipelineStep,
    StepDefinition,
    TaskStep,
    WaitStep,
)

Report = Callable[[str, str, str], None]
# Of a request with all it is sent on to, where `error_handling` sets no other limit.
DEFAULT_HTTP_SECONDS: Final = 30.0
_ANY_TIME: Final = datetime(2020, 1, 1, tzinfo=UTC)


def task_of(step: StepDefinition, where: str, problem: Report) -> TaskStep:
    """Return what stands for a step that names no class: its settings are the configuration."""
    if isinstance(step, PipelineStep):
        return TaskStep(
            id=step.id, error_handling=step.error_handling, output_schema=step.output_schema
        )
    if not isinstance(step, BuiltInStep):
        return TaskStep(id=step.id)
    if isinstance(step, WaitStep):
        _check_wait(step, where, problem)
    handling = output_schema = None
    if isinstance(step, HttpStep):
        handling = step.error_handling or ErrorHandling()
        if handling.timeout_seconds is None:
            handling = handling.model_copy(update={"timeout_seconds": DEFAULT_HTTP_SECONDS})
        output_schema = step.output_schema
    return TaskStep(
        id=step.id, config=step.settings(), error_handling=handling, output_schema=output_schema
    )


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
