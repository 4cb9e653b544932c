"""`timeout_seconds`, `start_within_seconds` and `deadline` of a definition, as they are written."""

from dataclasses import dataclass
from typing import Final

from executor_service.engine.templates import Template

FAIL: Final = "fail"


@dataclass(frozen=True, slots=True)
class Deadline:
    """`deadline`: a time, or a span from the start; then the execution fails or goes to a step."""

    after_seconds: float | None = None
    at: Template = None
    then: str = FAIL


@dataclass(frozen=True, slots=True)
class TimeLimits:
    """The limits of a definition."""

    timeout_seconds: float | None = None
    start_within_seconds: float | None = None
    deadline: Deadline | None = None
