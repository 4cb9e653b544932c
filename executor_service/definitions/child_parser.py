"""Reading a step that has another pipeline run."""

from collections.abc import Callable, Collection

from executor_service.engine.child_plan import ChildPlan
from executor_service.engine.templates import compile_template
from steplog_contracts.definition_parts import ErrorHandling
from steplog_contracts.step_types import PipelineStep, StepDefinition

Report = Callable[[str, str, str], None]


def read_child(
    step: StepDefinition, where: str, own_name: str, step_ids: Collection[str], problem: Report
) -> ChildPlan | None:
    """Return what a step has run, if it is of that type, and report what is wrong with it."""
    if not isinstance(step, PipelineStep):
        return None
    if (step.pipeline is None) == (step.definition is None):
        problem(
            f"{where}.pipeline",
            f"Step '{step.id}' has to name a pipeline or hold its definition, one of the two.",
            'write "pipeline": "<name>"',
        )
    if step.pipeline == own_name:
        problem(
            f"{where}.pipeline",
            f"Step '{step.id}' has the pipeline run that it is a step of.",
            "for a loop, draw a path back",
        )
    if step.inputs is not None:
        problem(
            f"{where}.inputs", "A child has one 'input'.", "write it as an object with templates"
        )
    check_handling(step.error_handling, where, problem)
    undone = step.compensate
    if undone is not None and (undone.method or not (undone.step_class or undone.class_)):
        problem(
            f"{where}.compensate",
            "A step of type 'pipeline' has no class, and so no method that undoes it.",
            "name a class with module and step_class",
        )
    return ChildPlan(
        pipeline=step.pipeline,
        definition=step.definition,
        input=compile_template(step.input, step_ids, sources=True),
        has_input="input" in step.model_fields_set,
        waits=step.wait,
        cancelled_with_parent=step.on_parent_end == "cancel",
    )


def check_handling(handling: ErrorHandling | None, where: str, problem: Report) -> None:
    """Report what means nothing for a step that runs no code."""
    if handling is not None and handling.enable_fallback:
        problem(
            f"{where}.error_handling.enable_fallback",
            "A step of type 'pipeline' has no class, and so no fallback.",
            "use continue_on_error and a condition on what follows",
        )
