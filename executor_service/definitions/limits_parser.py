"""Reading `timeout_seconds`, `start_within_seconds` and `deadline` of a definition."""

from collections.abc import Callable, Collection

from executor_service.engine.limits import time_in
from executor_service.engine.templates import compile_template, is_constant
from executor_service.engine.time_limits import FAIL, Deadline, TimeLimits
from steplog_contracts import definition as written
from steplog_contracts.definition import PipelineDefinition

Problem = Callable[[str, str, str], None]


def read_limits(
    shaped: PipelineDefinition, step_ids: Collection[str], problem: Problem
) -> TimeLimits | None:
    """Return the limits in time of a definition; None where it has none."""
    deadline = None
    if shaped.deadline is not None:
        deadline = _deadline(shaped.deadline, step_ids, problem)
    spans = (shaped.timeout_seconds, shaped.start_within_seconds)
    return None if deadline is None and spans == (None, None) else TimeLimits(*spans, deadline)


def _deadline(
    deadline: written.Deadline, step_ids: Collection[str], problem: Problem
) -> Deadline | None:
    where = "$.deadline"
    if (deadline.after is None) == (deadline.at is None):
        problem(where, "A deadline has either `after` or `at`.", "give one of them")
        return None
    if deadline.then != FAIL and deadline.then not in step_ids:
        problem(f"{where}.then", f"No step is called '{deadline.then}'.", "name a step, or 'fail'")
    template = None
    if deadline.at is not None:
        template = compile_template(deadline.at, step_ids)
        if is_constant(template) and time_in(deadline.at) is None:
            problem(
                f"{where}.at",
                f"'{deadline.at[:100]}' is no time.",
                "give one such as 2030-01-31T12:00:00Z, with its zone, or a template of one",
            )
            return None
    return Deadline(deadline.after, template, deadline.then)
