"""The ways out of a step that its own keys name, and how many branches it waits for."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from executor_service.engine.conditions import ConditionCompiler
from executor_service.engine.operators import one_decision
from executor_service.engine.path_choice import ANY_ERROR
from executor_service.engine.plan import CatchPlan, Choice, Condition, JoinPlan
from executor_service.engine.references import Reading, Root
from steplog_contracts.flow_edges import asked
from steplog_contracts.payload import JsonObject
from steplog_contracts.step_types import Catch, StepDefinition, SwitchStep

Report = Callable[[str, str, str], None]
_RESULT_HINT: Final = "ask for step_results.<id>.x or for a key of the data"


@dataclass(frozen=True, slots=True)
class _Switch:
    cases: tuple[tuple[Condition | None, str], ...]
    default: str

    def __call__(self, reading: Reading) -> str:
        with one_decision():
            for condition, to in self.cases:
                if condition is None or condition(reading):
                    return to
        return self.default


def choice_of(
    step: StepDefinition, where: str, conditions: ConditionCompiler, problem: Report
) -> Choice | None:
    """Return what decides in place of code, in a step that runs none."""
    if isinstance(step, SwitchStep):
        cases = tuple(
            (
                _condition(
                    case.condition, f"{where}.cases[{index}].condition", conditions, problem
                ),
                case.to,
            )
            for index, case in enumerate(step.cases)
        )
        return _Switch(cases, step.default)
    spec = asked(step)
    if spec is None:
        return None
    return _condition(spec, f"{where}.condition", conditions, problem) or _holds


def _condition(
    spec: JsonObject, where: str, conditions: ConditionCompiler, problem: Report
) -> Condition | None:
    before = len(conditions.sources)
    condition = conditions.compile(spec, where)
    if any(reference.root is Root.RESULT for reference in conditions.sources[before:]):
        problem(where, "A step that only decides has no result of its own.", _RESULT_HINT)
    return condition


def catch_plan(catch: Catch | None) -> CatchPlan | None:
    """Return the errors after which a path is taken, where it is one of those."""
    return None if catch is None else CatchPlan(frozenset(catch.errors), catch.as_)


def check_catches(catches: Sequence[Catch], where: str, problem: Report) -> None:
    """Report what no error can come to."""
    seen: set[str] = set()
    for index, catch in enumerate(catches):
        if ANY_ERROR in seen or seen.issuperset(catch.errors):
            problem(
                f"{where}.catch[{index}]",
                "No error can come to this entry: those before it take them all.",
                "put what is special before what is general",
            )
        seen.update(catch.errors)


def join_plan(step: StepDefinition, ways_in: int, where: str, problem: Report) -> JoinPlan | None:
    """Return how many of the branches a step waits for."""
    join = step.join
    if join is None:
        return None
    if join.when == "all":
        if join.rest is not None:
            problem(
                f"{where}.join.rest",
                "There is no rest where all branches are waited for.",
                'leave it out, or give "when": "any"',
            )
        return None
    needed = 1 if join.when == "any" else join.when
    if needed > ways_in:
        problem(
            f"{where}.join.when",
            f"{needed} branches can't come here: {ways_in} paths lead to '{step.id}'.",
            "lower it, or add a path",
        )
    return JoinPlan(needed, leaves_rest=join.rest == "leave")


def _holds(_: object) -> bool:
    return True
