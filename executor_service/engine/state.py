"""An execution as its recorded events made it; `engine.fold` makes it."""

from datetime import datetime
from typing import Protocol

from executor_service.engine.frontier import Frontier
from executor_service.engine.map_items import Items
from executor_service.engine.plan import Plan
from executor_service.engine.references import Reading
from executor_service.engine.scope import Scope, WithResult, join
from executor_service.engine.visit import EndedBranch, Undoing, Undone, Visit
from steplog_contracts import events as ev
from steplog_contracts.definition_parts import FIRST_LANGUAGE
from steplog_contracts.event_base import RetriedChild
from steplog_contracts.payload import JsonObject, JsonValue

# The arrival that is no path's: the flow's start.
START = -1


class State:
    """Everything an execution's events say, as far as what follows depends on it."""

    __slots__ = (
        "began_at", "cancelling", "children", "deadline_at", "deadline_passed", "depth", "done",
        "end", "ended_branches", "execution_id", "failure", "finishing", "first_started_at",
        "frontier", "input", "iterations", "language", "maps", "metadata", "parameters", "plan",
        "recorded_at", "retried", "root", "seq", "started_at", "undoing", "visits",
    )  # fmt: skip

    def __init__(self, plan: Plan, execution_id: str) -> None:
        self.plan = plan
        self.execution_id = execution_id
        self.seq = 0
        self.recorded_at: datetime | None = None  # Of the event folded last, where known.
        self.started_at: datetime | None = None
        self.language = FIRST_LANGUAGE  # Of the rules that the execution began under.
        self.input: JsonValue = None
        self.parameters: JsonObject = {}
        self.metadata: JsonObject = {}
        self.root = Scope({})
        self.visits: dict[str, Visit] = {}
        self.maps: dict[str, Items] = {}  # Of the visits to maps among them.
        self.iterations: dict[str, int] = {}
        self.frontier = Frontier(plan, self.visits, self.iterations)
        self.first_started_at: dict[str, datetime] = {}
        self.ended_branches: list[EndedBranch] = []
        self.failure: ev.ErrorInfo | None = None
        self.finishing = False  # A branch came to `end_all`: what it has made is the result.
        self.cancelling: str | None = None  # The reason, once a step was cancelled without failure.
        self.began_at: datetime | None = None  # When its first step began.
        self.done: list[Undone] = []  # Completed visits that can be undone, in recorded order.
        self.undoing: Undoing | None = None
        self.deadline_at: datetime | None = None  # Worked out of `deadline.at` when asked for.
        self.deadline_passed = False  # And the flow went to the deadline's step.
        self.end: ev.Event | None = None
        self.children = 0  # Executions it has begun.
        # Children that go on from those of the execution that this one retries, by visit.
        self.retried: dict[tuple[str, int], RetriedChild] = {}
        self.depth = 0  # How many executions led to it, one having begun the other.

    @property
    def started(self) -> bool:
        """Whether ExecutionStarted was folded."""
        return self.seq > 0

    @property
    def ended(self) -> bool:
        """Whether the execution's own end was folded."""
        return self.end is not None

    def reading(self, scope: Scope, now: datetime | None = None) -> Reading:
        """Return what references read at a branch; `now` where a visit has it on record."""
        return Reading((scope.data,), self.parameters, self.input, scope,
                       execution_id=self.execution_id, now=now)  # fmt: skip

    def reading_after(self, visit: Visit, output: JsonValue, *, failed: bool = False) -> Reading:
        """Return what the conditions behind a step read: its output laid over the branch's data.

        An error that the flow goes on from is no data, but for the first language.
        """
        data = visit.scope.data
        laid_over = type(output) is dict and not (failed and self.language > FIRST_LANGUAGE)
        layers = (output, data) if laid_over else (data,)
        results = WithResult(visit.scope, visit.step.id, output)
        return Reading(
            layers, self.parameters, self.input, results, output, visit.step.id, self.execution_id
        )

    def final_scope(self) -> Scope:
        """Return what all ended branches make together, joined in the declared order of paths."""
        if not self.ended_branches:
            return self.root
        if len(self.ended_branches) == 1:
            return self.ended_branches[0].scope
        self.ended_branches.sort(key=lambda branch: branch.path_index)
        joined = join([branch.scope for branch in self.ended_branches], self.frontier.numbers)
        self.ended_branches[:] = [EndedBranch(self.ended_branches[0].path_index, joined)]
        return joined


class Planned(Protocol):
    """Anything that has a plan, such as a blueprint."""

    @property
    def plan(self) -> Plan:
        """The definition, compiled."""


def initial(planned: Planned, execution_id: str = "") -> State:
    """Return the state before the first event."""
    return State(planned.plan, execution_id)
