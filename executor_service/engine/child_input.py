"""What a child is given: the step's `input`, with its templates resolved."""

from executor_service.engine.child_plan import ChildPlan
from executor_service.engine.references import Reading
from executor_service.engine.templates import render
from executor_service.errors import StepProblem
from steplog_contracts.payload import JsonValue


def child_input(child: ChildPlan, reading: Reading, step_id: str) -> JsonValue:
    """Return a child's input.

    Raises:
        StepProblem: a template of it leads nowhere.
    """
    return render(child.input, reading, f"Step '{step_id}' input")


def recorded_input(child: ChildPlan, reading: Reading, step_id: str) -> JsonValue:
    """Return what is recorded as the input: null where it can't be made; the attempt then fails."""
    try:
        return child_input(child, reading, step_id)
    except StepProblem:
        return None
