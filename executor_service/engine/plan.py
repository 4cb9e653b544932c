"""A definition compiled: steps by id, paths in order, everything looked up or parsed beforehand.

A plan is immutable and shared by all executions of its definition. It holds no user code but
condition functions and schema checks behind plain callables.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Final, Literal

from executor_service.engine.child_plan import ChildPlan
from executor_service.engine.graph import Graph
from executor_service.engine.map_items import MapPlan
from executor_service.engine.references import Reading
from executor_service.engine.retry import RetryPolicy
from executor_service.engine.templates import Input, Template
from executor_service.engine.time_limits import FAIL, TimeLimits
from steplog_contracts.item_ids import item_id, map_of, split_item
from steplog_contracts.payload import JsonObject, JsonValue

# Runs of one step in one execution, where `loop_config` sets no other bound.
DEFAULT_MAX_ITERATIONS = 100
# The type of steps that wait for a time.
WAIT: Final = "wait"
# Of one plan, for sets of steps that are closed to a branch: each takes memory as a graph does.
MAX_REACHES_KEPT = 16

# Says whether a condition holds; raises ConditionFailed where that can't be told.
Condition = Callable[[Reading], bool]
# Says which way a step goes that runs no code: its result, which a path's `branch` equals.
Choice = Callable[[Reading], bool | str]
# How a branch ends: for itself, failing the execution, or completing it at once.
EndMarker = Literal["success", "failure", "all"]
# Says in one sentence what breaks the schema, or returns None.
SchemaCheck = Callable[[JsonValue], str | None]


@dataclass(frozen=True, slots=True)
class CatchPlan:
    """The errors after which a path is taken, and the key of the data that they are laid at."""

    errors: frozenset[str]
    key: str | None = None


@dataclass(frozen=True, slots=True)
class JoinPlan:
    """How many branches a step waits for: None are all that can come. The rest is cancelled, or
    goes on and ends where it comes to the step."""

    needed: int | None = None
    leaves_rest: bool = False


@dataclass(frozen=True, slots=True)
class PathPlan:
    """A path from a step to another one or to an end marker; `index` is its declared place."""

    index: int
    from_id: str
    to_id: str
    end: EndMarker | None = None
    condition: Condition | None = None
    asks_timed_out: bool = False
    closes_cycle: bool = False
    # Of a step that chooses: the result with which the path is taken.
    branch: bool | str | None = None
    catch: CatchPlan | None = None

    @property
    def is_always_taken(self) -> bool:
        """Whether nothing decides about it."""
        return self.condition is None and self.branch is None and self.catch is None


@dataclass(frozen=True, slots=True)
class CompensationPlan:
    """How a step is undone: by a method of its own, or by the class made under `made_as`."""

    method: str | None = None
    made_as: str | None = None
    retry: RetryPolicy | None = None
    timeout_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class StepPlan:
    """One declared step."""

    id: str
    index: int
    name: str
    type: str = "task"
    config: JsonObject = field(default_factory=dict)
    config_template: Template = None  # None: nothing in `config` to resolve.
    inputs: tuple[Input, ...] = ()
    asks_time: bool = False  # Whether a template of it calls now().
    condition: Choice | None = None  # Of a step of type `condition` or `switch`: it runs no code.
    join: JoinPlan | None = None
    retry: RetryPolicy | None = None
    continue_on_error: bool = False
    enable_fallback: bool = False
    timeout_seconds: float | None = None
    heartbeat_timeout_seconds: float | None = None
    compensation: CompensationPlan | None = None
    is_pure: bool = False  # Running it again, or before its beginning is on record, harms nobody.
    check_input: SchemaCheck | None = None
    check_output: SchemaCheck | None = None
    outgoing: tuple[PathPlan, ...] = ()
    always: tuple[int, ...] | None = None  # The paths taken, where no condition decides.
    child: ChildPlan | None = None  # The pipeline that it has run in its place.
    mapped: MapPlan | None = None  # Of a map: it runs no code itself.
    item: "StepPlan | None" = None  # Of a map: the step that each item visits.
    item_index: int | None = None  # Of a visit to one item.
    # Whether it begins with its branch's data and at once: asked wherever a step begins.
    begins_plainly: bool = field(init=False, default=False)

    def __post_init__(self) -> None:
        special = self.inputs or self.asks_time or self.mapped or self.child or self.type == WAIT
        object.__setattr__(self, "begins_plainly", not special)

    @property
    def declared_id(self) -> str:
        """The id of the declared step whose code runs: an item's is its map."""
        return self.id if self.item_index is None else map_of(self.id)

    @property
    def timed(self) -> bool:
        """Whether an attempt is held to any time."""
        return self.timeout_seconds is not None or self.heartbeat_timeout_seconds is not None

    def item_at(self, index: int) -> "StepPlan":
        """Return the step that an item of this map visits."""
        assert self.item is not None, "only a map has items"
        return replace(self.item, id=item_id(self.id, index), item_index=index)

    @property
    def may_go_on(self) -> bool:
        """Whether the flow may go on from a failure of the step."""
        return self.continue_on_error or any(path.catch for path in self.outgoing)


@dataclass(frozen=True, slots=True)
class LoopBounds:
    """`loop_config`, with its defaults."""

    max_iterations: int = DEFAULT_MAX_ITERATIONS
    max_loop_time_seconds: float | None = None
    iteration_delay_seconds: float = 0.0


@dataclass(frozen=True)
class Plan:
    """What a definition means to the engine."""

    name: str
    version: str | None
    steps: Mapping[str, StepPlan]  # In declared order.
    paths: tuple[PathPlan, ...]
    start_at: str
    loop: LoopBounds = LoopBounds()
    outputs: tuple[Input, ...] | None = None
    check_output: SchemaCheck | None = None
    limits: TimeLimits | None = None
    compensates: bool = False  # Whether a failure undoes what was done.
    ordered: tuple[StepPlan, ...] = ()

    @cached_property
    def graph(self) -> Graph:
        """The flow's shape, worked out when first needed."""
        successors = [
            # A path of a definition that is being refused may lead to no step.
            [self.steps[path.to_id].index for path in step.outgoing if path.to_id in self.steps]
            for step in self.ordered
        ]
        return Graph(successors, self.steps[self.start_at].index)

    @cached_property
    def pure_steps(self) -> frozenset[str]:
        """The steps that may run ahead of the log."""
        return frozenset(step.id for step in self.ordered if step.is_pure)

    @cached_property
    def has_children(self) -> bool:
        """Whether a step, or the items of a map, have other pipelines run."""
        items = (step.item for step in self.ordered if step.item is not None)
        return any(step.child is not None for step in (*self.ordered, *items))

    @cached_property
    def successors(self) -> Mapping[str, StepPlan]:
        """The steps that a lone branch always comes to from another, and begins plainly there."""
        if self.limits or self.joins or self.steps_on_cycles or self.has_children:
            return {}
        following = {
            step.id: self.steps.get(self.paths[step.always[0]].to_id)
            for step in self.ordered
            if step.always and len(step.always) == 1 and step.compensation is None
        }
        return {at: to for at, to in following.items() if to is not None and to.begins_plainly}

    @cached_property
    def steps_on_cycles(self) -> frozenset[str]:
        """The steps that can come round to themselves."""
        return frozenset(step.id for step in self.ordered if self.on_cycle(step.id))

    @cached_property
    def entered_by_one_path(self) -> frozenset[str]:
        """The steps that only the branch now at their one predecessor can ever come to.

        That predecessor lies on no cycle, so it began when no other branch could reach it; and
        whoever can't reach it can't reach what lies behind it alone.
        """
        entries: dict[str, list[str]] = {}
        for path in self.paths:
            entries.setdefault(path.to_id, []).append(path.from_id)
        return frozenset(
            step_id
            for step_id, sources in entries.items()
            if len(sources) == 1
            and step_id not in self.entered_from_outside
            and sources[0] in self.steps
            and not self.on_cycle(sources[0])
        )

    def step_of(self, step_id: str) -> StepPlan | None:
        """Return the step of an id, which may name an item of a map."""
        declared = self.steps.get(step_id)
        found = split_item(step_id) if declared is None else None
        if found is None:
            return declared
        each = self.steps.get(found[0])
        return None if each is None or each.mapped is None else each.item_at(found[1])

    @cached_property
    def joins(self) -> frozenset[str]:
        """The steps that don't wait for all branches."""
        return frozenset(
            step.id for step in self.ordered if step.join is not None and step.join.needed
        )

    @cached_property
    def leaving_joins(self) -> tuple[str, ...]:
        """The steps that the rest of the branches comes to in vain."""
        joins = (self.steps[step_id] for step_id in sorted(self.joins))
        return tuple(step.id for step in joins if step.join and step.join.leaves_rest)

    @cached_property
    def _reach_without(self) -> dict[frozenset[str], list[int]]:
        return {}

    def reach_without(self, closed: frozenset[str]) -> list[int]:
        """Return which steps each step can lead to for a branch that some steps are closed to."""
        if not closed:
            return self.graph.reach
        known = self._reach_without
        if closed not in known:
            if len(known) >= MAX_REACHES_KEPT:
                known.clear()
            known[closed] = self.graph.without({self.steps[step].index for step in closed}).reach
        return known[closed]

    @cached_property
    def entered_from_outside(self) -> frozenset[str]:
        """The steps that begin without a path: the flow's start, and where a deadline leads."""
        deadline = None if self.limits is None else self.limits.deadline
        turned_to = () if deadline is None or deadline.then == FAIL else (deadline.then,)
        return frozenset((self.start_at, *turned_to))

    def can_reach(self, from_id: str, to_id: str) -> bool:
        """Say whether paths lead from one step to the other."""
        return bool(self.graph.reach[self.steps[from_id].index] >> self.steps[to_id].index & 1)

    def on_cycle(self, step_id: str) -> bool:
        """Say whether the step can come round to itself."""
        return bool(self.graph.on_cycle >> self.steps[step_id].index & 1)
