"""What can be wrong with a flow as a whole: steps nobody reaches, cycles without a way out,
references to results that can't be there."""

from collections.abc import Iterator

from executor_service.engine.plan import Plan, StepPlan
from executor_service.engine.templates import Choice, choices_in, steps_named
from executor_service.errors import Problem


def check_flow(plan: Plan) -> Iterator[Problem]:
    """Return what is wrong with a plan whose parts are each in order."""
    yield from _unreachable(plan)
    yield from _without_exit(plan)
    yield from _unresolvable(plan)


def _unreachable(plan: Plan) -> Iterator[Problem]:
    begun = plan.entered_from_outside
    for step in plan.ordered:
        if step.id not in begun and not any(plan.can_reach(first, step.id) for first in begun):
            yield Problem(
                f"$.steps[{step.index}]",
                f"No path leads to step '{step.id}'; it is always skipped.",
                "add a path to it or remove it",
                "warning",
            )


def _without_exit(plan: Plan) -> Iterator[Problem]:
    """A cycle whose every path is unconditional can only end at its bound."""
    for component in plan.graph.components:
        members = {plan.ordered[index].id for index in component}
        first = plan.ordered[min(component)]
        if len(members) == 1 and not plan.on_cycle(first.id):
            continue
        within = [
            path
            for step_id in members
            for path in plan.steps[step_id].outgoing
            if path.end is None and path.to_id in members
        ]
        if all(path.is_always_taken for path in within):
            yield Problem(
                f"$.steps[{first.index}]",
                f"The cycle through '{first.id}' has no condition that ends it; it runs until "
                f"loop_config.max_iterations ({plan.loop.max_iterations}) fails the execution.",
                "give one of its paths a condition",
                "warning",
            )


def _unresolvable(plan: Plan) -> Iterator[Problem]:
    for step in plan.ordered:
        for choice, where in _required_choices(step):
            named = steps_named(choice)
            if named is None:
                continue
            if not any(name in plan.steps for name in named):
                yield Problem(where, f"{choice.text} names no declared step.", "check the id")
            elif not any(name in plan.steps and _comes_first(plan, name, step) for name in named):
                yield Problem(
                    where,
                    f"{choice.text} can't be there yet: no path leads from that step to "
                    f"'{step.id}'.",
                    "refer to a step that runs before",
                )


def _comes_first(plan: Plan, name: str, step: StepPlan) -> bool:
    """Say whether a step may have run when another one begins, over paths or by a deadline."""
    if plan.can_reach(name, step.id):
        return True
    turned_to = plan.entered_from_outside - {plan.start_at}
    return any(step.id == first or plan.can_reach(first, step.id) for first in turned_to)


def _required_choices(step: StepPlan) -> Iterator[tuple[Choice, str]]:
    where = f"$.steps[{step.index}]"
    if step.mapped is not None and step.item is not None:
        for choice in choices_in(step.mapped.items):
            yield choice, f"{where}.items"
        yield from _choices_of(step.item, f"{where}.step")
    yield from _choices_of(step, where)


def _choices_of(step: StepPlan, where: str) -> Iterator[tuple[Choice, str]]:
    for choice in choices_in(step.config_template):
        yield choice, f"{where}.config"
    for declared in step.inputs:
        if declared.required:
            for choice in choices_in(declared.template):
                yield choice, f"{where}.inputs.{declared.name}"
