"""Reading the flow of a definition: paths, end markers, and the branches of condition steps."""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace

from executor_service.definitions.step_routes import (
    catch_plan,
    check_catches,
    choice_of,
    join_plan,
)
from executor_service.engine.completion import END_ALL
from executor_service.engine.conditions import ConditionCompiler
from executor_service.engine.plan import Choice, EndMarker, JoinPlan, PathPlan, Plan
from executor_service.engine.references import Reference, Root
from steplog_contracts.definition import PathDefinition, PipelineDefinition
from steplog_contracts.definition_parts import FIRST_LANGUAGE
from steplog_contracts.flow_edges import FlowEdge, asked, edges_of, is_end_marker, written_branch
from steplog_contracts.step_types import ConditionStep, StepDefinition, SwitchStep

END_WITH_FAILURE = "end_with_failure"

Report = Callable[[str, str, str], None]


class FlowReader:
    """Compiles the paths of one definition, in the order of their indices."""

    def __init__(
        self,
        shaped: PipelineDefinition,
        conditions: ConditionCompiler,
        problem: Report,
        language: int,
    ) -> None:
        self._language = language
        self._conditions = conditions
        self._problem = problem
        self._step_ids = {step.id for step in shaped.steps}
        self._switches = {s.id for s in shaped.steps if isinstance(s, SwitchStep)}
        self._condition_steps = {s.id for s in shaped.steps if asked(s) is not None}
        self.paths: list[PathPlan] = []
        self._by_step: dict[str, list[PathPlan]] = {}
        self._known = _known(self._step_ids)
        self._check_ids(shaped)
        for edge in edges_of(shaped):
            if edge.index < len(shaped.flow.paths):
                self._read_path(shaped.flow.paths[edge.index], edge)
            else:
                end = self._end_marker(edge.to_step, edge.where)
                catch = catch_plan(edge.catch)
                self._add(PathPlan(edge.index, edge.from_step, edge.to_step, end,
                                   branch=edge.branch, catch=catch))  # fmt: skip
        self._ways_in = Counter(path.to_id for path in self.paths)
        self._ways_in[shaped.flow.start_at] += 1
        for index, step in enumerate(shaped.steps):
            where = f"$.steps[{index}]"
            self._check_branches(step, where)
            check_catches(step.catch, where, problem)

    def outgoing(self, step_id: str) -> tuple[PathPlan, ...]:
        """Return the paths that begin at a step."""
        return tuple(self._by_step.get(step_id, ()))

    def always_taken(self, step_id: str) -> tuple[int, ...] | None:
        """Return the paths taken, if no condition has a say in it."""
        paths = [path for path in self.outgoing(step_id) if path.catch is None]
        if not all(path.is_always_taken for path in paths):
            return None
        return tuple(path.index for path in paths)

    def choice(self, step: StepDefinition, where: str) -> Choice | None:
        """Return what decides in place of code, in a step that runs none."""
        return choice_of(step, where, self._conditions, self._problem)

    def join(self, step: StepDefinition, where: str) -> JoinPlan | None:
        """Return how many branches a step waits for, where it says so."""
        return join_plan(step, self._ways_in[step.id], where, self._problem)

    def with_closing_paths(self, plan: Plan) -> Plan:
        """Return the plan with the paths that close a cycle marked, where a delay hangs on it."""
        if not plan.loop.iteration_delay_seconds:
            return plan
        back = plan.graph.edges_back
        paths = tuple(replace(path, closes_cycle=_edge(plan, path) in back) for path in plan.paths)
        steps = {
            step.id: replace(step, outgoing=tuple(paths[path.index] for path in step.outgoing))
            for step in plan.ordered
        }
        return replace(plan, paths=paths, steps=steps, ordered=tuple(steps.values()))

    def _check_ids(self, shaped: PipelineDefinition) -> None:
        seen: set[str] = set()
        for index, step in enumerate(shaped.steps):
            if step.id in seen:
                self._problem(
                    f"$.steps[{index}].id", f"There are two steps '{step.id}'.", "rename one"
                )
            seen.add(step.id)
        if shaped.flow.start_at not in self._step_ids:
            self._problem(
                "$.flow.start_at",
                f"There is no step '{shaped.flow.start_at}' to start at.",
                self._known,
            )

    def _read_path(self, path: PathDefinition, edge: FlowEdge) -> None:
        where = f"$.flow.paths[{edge.index}]"
        from_id = self._end_of_path(path.from_step, path.from_, f"{where}.from_step")
        to_id = self._end_of_path(path.to_step, path.to, f"{where}.to_step")
        before = len(self._conditions.sources)
        branch = self._written_branch(path, from_id, f"{where}.condition")
        condition = (
            self._conditions.compile(path.condition, f"{where}.condition")
            if path.condition is not None and branch is None
            else None
        )
        sources = self._conditions.sources[before:]
        end = self._end_marker(to_id, f"{where}.to_step")
        if from_id in self._switches:
            self._problem(
                f"{where}.from_step",
                f"Step '{from_id}' is a switch; its cases say where it leads.",
                "name the end of this path in a case, or as its default",
            )
        if from_id is not None and from_id not in self._step_ids:
            self._problem(f"{where}.from_step", f"There is no step '{from_id}'.", self._known)
        self._add(
            PathPlan(
                edge.index, from_id or "", to_id or "", end, condition,
                asks_timed_out=any(_asks_timed_out(ref, from_id) for ref in sources),
                branch=edge.branch if branch is None else branch,
            )
        )  # fmt: skip

    def _written_branch(self, path: PathDefinition, from_id: str | None, where: str) -> bool | None:
        """Return which outcome of its condition step a path names, where it names one."""
        branch = written_branch(path.condition)
        if branch is not None and from_id not in self._condition_steps:
            assert path.condition is not None, "it names an outcome"
            self._problem(
                f"{where}.type",
                f"'{path.condition['type']}' is for paths of a condition step.",
                'begin the path at a step of type "condition", or write the condition itself',
            )
        return branch

    def _check_branches(self, step: StepDefinition, where: str) -> None:
        if not isinstance(step, ConditionStep) or asked(step) is not None:
            return
        if step.then is not None or step.else_ is not None:
            self._problem(
                where,
                f"Step '{step.id}' has a 'then' or 'else' but is no condition step.",
                'give it "type": "condition" and a "condition"',
            )
        if step.condition is not None:
            self._problem(f"{where}.condition", "Only a step of type condition has one.", "")

    def _add(self, path: PathPlan) -> None:
        self.paths.append(path)
        self._by_step.setdefault(path.from_id, []).append(path)

    def _end_of_path(self, long: str | None, short: str | None, where: str) -> str | None:
        if long is not None and short is not None and long != short:
            self._problem(where, f"Both '{long}' and '{short}' are given.", "keep one of them")
        named = long if long is not None else short
        if not named:
            self._problem(where, "This end of the path is missing.", "name a step")
        return named

    def _end_marker(self, to_id: str | None, where: str) -> EndMarker | None:
        if to_id is None or to_id in self._step_ids:
            return None
        if to_id == END_WITH_FAILURE:
            return "failure"
        if to_id == END_ALL and self._language > FIRST_LANGUAGE:
            return "all"
        if is_end_marker(to_id):
            return "success"
        self._problem(where, f"There is no step '{to_id}'.", self._known)
        return None


def _edge(plan: Plan, path: PathPlan) -> tuple[int, int] | None:
    if path.from_id not in plan.steps or path.to_id not in plan.steps:
        return None
    return plan.steps[path.from_id].index, plan.steps[path.to_id].index


def _asks_timed_out(reference: Reference, from_id: str | None) -> bool:
    own = reference.root is Root.RESULT or (
        reference.root is Root.STEP and reference.step_id == from_id
    )
    return own and reference.keys == ("timed_out",)


def _known(step_ids: set[str]) -> str:
    shown = sorted(step_ids)[:10]
    return f"steps are: {', '.join(shown)}{', ...' if len(step_ids) > len(shown) else ''}"
