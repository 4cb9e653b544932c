"""The rules of the flow language, said again as plainly as possible and sharing no code with the
engine: a log is followed event by event, and whatever the rules do not allow next is refused.

What the rules leave to time (which branch is first, when a limit falls) the log settles; what
they do not leave open (what a step is given, which paths are taken, what is joined, what is undone
and in which order, how it ends) is worked out here and compared. A branch holds, for each key, the
write that stands and the visits in its past.
"""

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from steplog_contracts import events as ev
from tests.verification.flow_oracle import Write
from tests.verification.language_cases import BOUND, Data, LanguageCase, StepCase
from tests.verification.language_ways import Ways, errors_named
from tests.verification.language_world import Entry, Life

NOWHERE = -1


class RuleBroken(AssertionError):
    """A log says what the rules do not allow."""


def hold(holds: object, what: str, *about: object) -> None:
    """Refuse the log unless something holds."""
    if not holds:
        raise RuleBroken(f"{what}: {', '.join(map(str, about))}")


@dataclass
class Branch:
    """`at` is the step it has come to, over `path`; `without` are the joins that left it."""

    at: str
    path: int
    writes: dict[str, Write]
    past: frozenset[int]
    without: frozenset[str] = frozenset()

    def data(self) -> Data:
        return {key: write.value for key, write in self.writes.items()}

    def write(self, visit: int, values: Data) -> None:
        for key, value in values.items():
            if key not in self.writes or self.writes[key].value != value:
                self.writes[key] = Write(value, visit, self.past)


def joined(branches: list[Branch]) -> Branch:
    """Of the writes of a key, those that another one saw are gone; then the last declared."""
    ordered = sorted(branches, key=lambda branch: branch.path)
    writes: dict[str, Write] = {}
    for key in {key: None for branch in ordered for key in branch.writes}:
        candidates = [branch.writes[key] for branch in ordered if key in branch.writes]
        writes[key] = [
            one for one in candidates if not any(one.visit in two.past for two in candidates)
        ][-1]
    past = frozenset().union(*(branch.past for branch in ordered))
    without = frozenset.intersection(*(branch.without for branch in ordered))
    return Branch(ordered[0].at, ordered[0].path, writes, past, without)


@dataclass
class Open:
    """A visit that has begun; `items` are those of a map, by place: open, a result, or an error."""

    branch: Branch
    iteration: int
    number: int
    status: str = "running"
    attempt: int = 0
    failures: int = 0
    due: datetime | None = None
    given: Any = None
    child: str | None = None
    resumed: ev.StepResumed | None = None
    items: dict[int, Any] = field(default_factory=dict)
    items_open: dict[int, "Open"] = field(default_factory=dict)
    items_failed: set[int] = field(default_factory=set)


@dataclass
class Position:
    """Where an execution stands, as its log so far has it."""

    life: Life
    lives: dict[str, Life]
    ways: Ways
    arrived: list[Branch] = field(default_factory=list)
    open: dict[str, Open] = field(default_factory=dict)
    ended: list[Branch] = field(default_factory=list)
    runs: dict[str, int] = field(default_factory=dict)
    visits: int = 0
    began: datetime | None = None
    failure: ev.ErrorInfo | None = None
    finishing: bool = False
    stopping: str = ""  # Why visits may be cancelled: a cancel, a failure, a deadline, an undoing.
    turned: bool = False
    orphans: dict[str, Open] = field(default_factory=dict)  # Items whose map has ended.
    after_deadline: Branch | None = None  # Begins once what was open has stopped.
    undoing: bool = False
    undo: list[tuple[str, int, Any, Any]] = field(default_factory=list)
    undo_attempt: tuple[int, bool] = (0, False)  # The number, and whether it is open.

    @property
    def case(self) -> LanguageCase:
        return self.life.case

    def step(self, step_id: str) -> StepCase:
        return self.case.steps[int(step_id[1:])]

    @property
    def still_open(self) -> bool:
        return bool(self.open or self.orphans)

    # Who may begin.

    def leads(self, branch: Branch, step_id: str) -> bool:
        """Say whether a branch can come to a step by the paths alone."""
        return step_id in self.ways.reach(branch.at, branch.without)

    def may_begin(self, step_id: str) -> bool:
        here = [branch for branch in self.arrived if branch.at == step_id]
        if not here or step_id in self.open or self.failure or self.finishing or self.undoing:
            return False
        join = self.step(step_id).join
        if join is not None and len(here) >= (1 if join[0] == "any" else join[0]):
            return True
        if any(self.leads(visit.branch, step_id) for visit in self.open.values()):
            return False
        own = frozenset.intersection(*(branch.without for branch in here))
        for other in {branch.at for branch in self.arrived} - {step_id}:
            theirs = [branch for branch in self.arrived if branch.at == other]
            if any(self.leads(branch, step_id) for branch in theirs) and not (
                any(other in self.ways.reach(step_id, b.without) for b in here)
                and int(step_id[1:]) < int(other[1:])
            ):
                return False
        return own is not None

    def begin(self, step_id: str, iteration: int) -> Open:
        hold(self.may_begin(step_id), "it may not begin", step_id)
        self.runs[step_id] = self.runs.get(step_id, 0) + 1
        hold(iteration == self.runs[step_id] <= BOUND, "it is not that visit's turn", step_id)
        branch = joined([branch for branch in self.arrived if branch.at == step_id])
        self.arrived = [other for other in self.arrived if other.at != step_id]
        join = self.step(step_id).join
        if join is not None:
            self._leave_behind(step_id, branch, join[1])
        self.visits += 1
        visit = self.open[step_id] = Open(branch, iteration, self.visits)
        return visit

    def _leave_behind(self, step_id: str, branch: Branch, rest: str) -> None:
        """Drop the branches that could still have come to a join, or let them run on without."""
        branch.without -= {step_id}
        if rest == "leave":
            for other in [*self.arrived, *(visit.branch for visit in self.open.values())]:
                other.without |= {step_id}
            return
        late = [s for s, visit in self.open.items() if self.leads(visit.branch, step_id)]
        hold(not late, "the rest of its branches still run", step_id, late)
        self.arrived = [other for other in self.arrived if not self.leads(other, step_id)]

    def stopped(self, step_id: str, *, superseded: bool) -> None:
        """Take note that a visit was cancelled."""
        self.leave(step_id)
        if not superseded:
            self.enter_when_stopped()

    def leave(self, step_id: str) -> Open:
        """Close a visit; items of it that are open end by themselves."""
        visit = self.open.pop(step_id)
        self.orphans |= {f"{step_id}[{n}]": item for n, item in visit.items_open.items()}
        return visit

    def enter_when_stopped(self) -> None:
        """Let the flow go on from its deadline's step, once nothing is open any more."""
        if self.after_deadline is not None and not self.open and not self.orphans:
            self.arrived, self.after_deadline, self.stopping = [self.after_deadline], None, ""

    # Where it goes on.

    def go(self, step_id: str, taken: tuple[int, ...]) -> None:
        """Send a branch on over paths, or end it."""
        visit = self.leave(step_id)
        if self.finishing:
            return
        branch, ends = visit.branch, [self.ways.end_of(index) for index in taken]
        if "end_with_failure" in ends and self.failure is None:
            self.failure = ev.ErrorInfo(type="EndedWithFailure", message="", step_id=step_id)
        elif "end_all" in ends and self.failure is None:
            self.finishing, self.arrived = True, []
        onward = [index for index in taken if self.ways.is_step(self.ways.end_of(index))]
        if not onward or self.finishing:
            last = taken[0] if taken else branch.path
            self.ended.append(replace(branch, path=last))
            return
        for index in onward:
            at = self.ways.end_of(index)
            sent = replace(branch, at=at, path=index, writes=dict(branch.writes))
            (self.ended if at in sent.without else self.arrived).append(sent)

    def ways_on(self, step_id: str, output: Any, *, failed: bool) -> tuple[int, ...]:
        """Return the paths to be taken after a step."""
        data = self.open[step_id].branch.data()
        if isinstance(output, dict) and not failed:
            data = {**data, **output}
        return self.ways.after(int(step_id[1:]), data, output)

    def caught(self, step_id: str, error: ev.ErrorInfo) -> int | None:
        """Return the path that is taken after an error, if it is caught."""
        of_child = self.step(step_id).kind == "child"
        return self.ways.caught(int(step_id[1:]), errors_named(error.type, of_child=of_child))

    def limit(self, seconds: float | None) -> datetime | None:
        if self.began is None or seconds is None:
            return None
        return self.began + timedelta(seconds=seconds)


def follow(life: Life, lives: dict[str, Life]) -> Position:
    """Follow a whole log; raises RuleBroken at the first event that may not be there."""
    from tests.verification.language_rules import RULES  # noqa: PLC0415 - they refer to this

    position = Position(life, lives, Ways(life.case))
    for number, entry in enumerate(life.entries):
        try:
            RULES[type(entry.event)](position, entry.event, entry)
        except RuleBroken as broken:
            raise RuleBroken(f"{broken} (event {number + 1}: {entry.event!r})") from broken
    hold(isinstance(life.entries[-1].event, ev.ENDINGS), "it has no end")
    return position


__all__ = ["Branch", "Entry", "Open", "Position", "RuleBroken", "follow", "hold", "joined"]
