"""What is wrong after a cluster's trouble, as pure functions of what was seen.

Of the log: every execution began and ended once, as its kind ends, in order. Of the rows: they are
what the judge's own fold makes of the log. Of the lines that steps leave: nothing ran that was not
recorded first. Of those who sent: nobody fails long after all is back. Of what the tracker says of
itself: never fresh while it is not. Of time: how long somebody waited for a result.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from tests.e2e.chaos_steps import LEFT_OPEN, NEEDS, Kind
from tests.e2e.cluster_log import (
    ENDED,
    STARTED,
    STEP_COMPLETED,
    STEP_ENDED,
    STEP_STARTED,
    WAITING,
    Fact,
    Histories,
    Rows,
    fold,
)

# After everything is back, so long may a command still fail.
BACK_WITHIN_S = 10.0
# A worker looks at the ends every second and its word is good for three; one that died is missed
# after ten. Two more are the looker's own.
FRESH_FOR_S, LOOKED_FOR_S = 5.0, 12.0
# A position may lie beyond what a new leader believes to be its end for a moment.
BEYOND_FOR_S = 3.0


@dataclass
class Verdict:
    """Everything that is wrong, by what is wrong with it."""

    lost: list[str] = field(default_factory=list)
    duplicate_completions: list[str] = field(default_factory=list)
    early_starts: list[str] = field(default_factory=list)
    rows_that_differ: list[str] = field(default_factory=list)
    stuck_producers: list[str] = field(default_factory=list)
    silent_gaps: list[str] = field(default_factory=list)

    def add(self, other: "Verdict") -> None:
        """Take over what another one found."""
        for name, found in vars(other).items():
            own = getattr(self, name)
            own += [one for one in found if one not in own]


def judge_log(histories: Histories, kinds: Mapping[str, Kind]) -> Verdict:
    """Judge the executions that were asked for, and those that nobody asked for."""
    verdict = Verdict()
    for execution_id in histories.keys() | kinds.keys():
        history, kind = histories.get(execution_id, ()), kinds.get(execution_id)
        begun = sum(fact.kind == STARTED for fact in history)
        if kind is None or begun != 1 or not _ended_as(history, kind):
            verdict.lost.append(f"{execution_id}: {[fact.kind for fact in history[-3:]]}")
        seqs = [fact.seq for fact in history]
        if seqs != list(range(1, len(seqs) + 1)):
            verdict.lost.append(f"{execution_id} has the numbers {seqs}")
        _judge_order(verdict, execution_id, history)
    return verdict


def _ended_as(history: Sequence[Fact], kind: Kind) -> bool:
    ends = [ENDED[fact.kind] for fact in history if fact.kind in ENDED]
    if kind is LEFT_OPEN:
        return bool(history) and history[-1].kind == WAITING and not ends
    return ends == [kind.ends_as]


def _judge_order(verdict: Verdict, execution_id: str, history: Sequence[Fact]) -> None:
    ended, visits = Counter[str](), Counter[tuple[str, int]]()
    for fact in history:
        if fact.kind == STEP_STARTED:
            step, iteration = fact.visit
            groups = NEEDS.get(step, ((),))
            enabled = any(all(ended[one] for one in group) for group in groups)
            if not enabled or ended[step] < iteration - 1:
                verdict.early_starts.append(f"{execution_id}/{step}")
        elif fact.kind in STEP_ENDED:
            ended[fact.visit[0]] += 1
            visits[fact.visit] += 1
    verdict.duplicate_completions += [
        f"{execution_id}/{step}/{iteration}"
        for (step, iteration), count in visits.items()
        if count > 1
    ]


def judge_rows(rows: Mapping[str, Rows], histories: Histories) -> Verdict:
    """Compare rows with what follows from the log."""
    folded = {execution_id: fold(history) for execution_id, history in histories.items()}
    return Verdict(
        rows_that_differ=[
            f"{execution_id}: {rows.get(execution_id)} and not {folded.get(execution_id)}"
            for execution_id in rows.keys() | folded.keys()
            if rows.get(execution_id) != folded.get(execution_id)
        ]
    )


def judge_lines(lines: Iterable[str], histories: Histories, among: Iterable[str]) -> Verdict:
    """Compare what steps left behind, `EXECUTION:STEP:ITERATION PID TIME`, with the log.

    A run without its start on record began too early; a result without a run was made up.
    """
    runs = Counter(line.split()[0] for line in lines)
    verdict = Verdict()
    for execution_id in among:
        starts, results = Counter[str](), Counter[str]()
        for fact in histories.get(execution_id, ()):
            if fact.kind in (STEP_STARTED, STEP_COMPLETED):
                visit = ":".join((execution_id, fact.visit[0], str(fact.visit[1])))
                (starts if fact.kind == STEP_STARTED else results)[visit] += 1
        own = {visit: n for visit, n in runs.items() if visit.startswith(f"{execution_id}:")}
        verdict.early_starts += [
            f"{visit} ran {n} times, {starts[visit]} on record"
            for visit, n in own.items()
            if n > starts[visit]
        ]
        verdict.lost += [f"{visit} never ran" for visit in results if visit not in own]
    return verdict


class Struck(NamedTuple):
    """Trouble: its name, from when to when something was away, and when all went on (seconds).

    With `by_hand` it ends when a person has mended it, so that its length is not the product's.
    """

    name: str
    began_s: float
    back_s: float
    over_s: float
    kills_one: bool = False
    by_hand: bool = False


class Try(NamedTuple):
    """One try of a client or of the API to append a command."""

    producer: str
    began_s: float
    ended_s: float
    problem: str | None


def judge_tries(tries: Iterable[Try], struck: Sequence[Struck]) -> Verdict:
    """Name who failed although all had been back for a while; each of them once."""
    stuck = {}
    for one in tries:
        excused = any(
            one.began_s <= trouble.back_s + BACK_WITHIN_S and trouble.began_s <= one.ended_s
            for trouble in struck
        )
        if one.problem is not None and not excused:
            stuck[one.producer] = f"{one.producer} at {one.began_s:.1f} s: {one.problem}"
    return Verdict(stuck_producers=list(stuck.values()))


class Look(NamedTuple):
    """What an answer said of the tracker, and the ends of the log just before and after it."""

    at_s: float
    tracker: str
    gap: int
    lag_s: float
    positions: Mapping[int, int]
    before: Mapping[int, int]
    after: Mapping[int, int]

    @property
    def says_fresh(self) -> bool:
        """Whether a reader would take the rows for what the log says."""
        return self.tracker == "fresh" and self.gap == 0


def judge_looks(looks: Sequence[Look]) -> Verdict:
    """Name the moments at which an answer said fresh while it was not, for longer than bounds."""
    verdict = Verdict()
    beyond_since: dict[int, float] = {}
    for number, look in enumerate(looks):
        for partition, position in look.positions.items():
            is_beyond = look.says_fresh and position > max(
                look.before[partition], look.after[partition]
            )
            since = beyond_since.setdefault(partition, look.at_s) if is_beyond else None
            if since is None:
                beyond_since.pop(partition, None)
            elif look.at_s - since > BEYOND_FOR_S:
                text = f"at {look.at_s:.1f} s partition {partition} beyond its end"
                verdict.silent_gaps.append(text)
        verdict.silent_gaps += _lacking(looks, number)
    return verdict


def _lacking(looks: Sequence[Look], number: int) -> list[str]:
    """Return of which partitions one look passes over events the log had all the time."""
    look = looks[number]
    if not look.says_fresh:
        return []
    bound_s = FRESH_FOR_S if look.lag_s == 0 else LOOKED_FOR_S
    old = next((one for one in reversed(looks[:number]) if one.at_s <= look.at_s - bound_s), None)
    if old is None:
        return []
    since = looks[looks.index(old) : number + 1]
    return [
        f"at {look.at_s:.1f} s partition {partition} stood at {position} and was called fresh"
        for partition, position in look.positions.items()
        if position < min(one.before[partition] for one in since)
    ]


class Wait(NamedTuple):
    """From the first try to ask for a short execution until its end stood in the rows."""

    execution_id: str
    began_s: float
    ended_s: float


def longest_stalls(waits: Iterable[Wait], struck: Sequence[Struck]) -> dict[str, float]:
    """Return the longest wait by the last trouble that it met, in seconds."""
    longest: dict[str, float] = {}
    for wait in waits:
        met = [t for t in struck if t.began_s <= wait.ended_s and wait.began_s <= t.over_s]
        name = met[-1].name if met else "undisturbed"
        longest[name] = max(longest.get(name, 0.0), wait.ended_s - wait.began_s)
    return longest


def figures_of(verdict: Verdict, waits: Sequence[Wait], struck: Sequence[Struck]) -> dict[str, Any]:
    """Return the figures by the names they are published under."""
    stalls = longest_stalls(waits, struck)
    one_killed = [stalls.get(trouble.name, 0.0) for trouble in struck if trouble.kills_one]
    by_hand = {trouble.name for trouble in struck if trouble.by_hand}
    return {
        **{name: len(found) for name, found in vars(verdict).items()},
        "longest_stall_s": max(
            (stall_s for name, stall_s in stalls.items() if name not in by_hand), default=0.0
        ),
        "longest_stall_one_process_killed_s": max(one_killed, default=0.0),
    }
