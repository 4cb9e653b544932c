"""What became of every command, from the events alone, from the rows alone, from what steps left.

Neither the engine nor the projection is asked: the expectations are those of `chaos_steps`.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import asyncpg

from steplog_contracts.envelope import RecordedEvent
from steplog_contracts.events import CommandRefused, StepAttemptFailed, StepStarted
from tests.e2e.chaos_flow import judge_children, judge_items, judge_undoing
from tests.e2e.chaos_load import Load
from tests.e2e.chaos_steps import NEEDS, Kind, visits_of
from tests.e2e.chaos_strikes import EXECUTORS, Strike
from tests.e2e.histories import Placed, by_execution, judge

# A run that a strike cut off began at most so long before it: its step takes milliseconds, but
# its end may have waited for a broker that was away.
CUT_OFF_WITHIN_S = {**dict.fromkeys(EXECUTORS, 60.0), "kafka": 5.0}
# A process that wakes up may go on so long with what was recorded before it slept; a broker that
# comes back needs some seconds to start, 25 where other tests run beside, and its sessions as long
# again to run out.
GOES_ON_FOR_S = {**dict.fromkeys(EXECUTORS, 10.0), "kafka": 40.0}
_EXECUTIONS = """
    SELECT execution_id, status, seq FROM pipeline_executions WHERE parent_execution_id IS NULL
"""
_STEPS = """
    SELECT execution_id, step_id, iteration, status, started_at, completed_at FROM step_executions
    WHERE item_index IS NULL
"""


@dataclass
class Verdict:
    """Everything that is wrong, by what is wrong with it; empty lists mean nothing is."""

    lost: list[str] = field(default_factory=list)
    duplicate_completions: list[str] = field(default_factory=list)
    early_starts: list[str] = field(default_factory=list)
    broken_seq: list[str] = field(default_factory=list)
    commands_not_answered_once: list[str] = field(default_factory=list)
    rows_that_differ: list[str] = field(default_factory=list)
    runs_without_record: list[str] = field(default_factory=list)
    runs_without_excuse: list[str] = field(default_factory=list)
    children_started_twice: list[str] = field(default_factory=list)
    items_recorded_twice: list[str] = field(default_factory=list)
    undone_otherwise: list[str] = field(default_factory=list)
    extra_runs: int = 0

    @property
    def wrong(self) -> dict[str, list[str]]:
        """Return what must be empty and is not."""
        return {name: found for name, found in vars(self).items() if found and name != "extra_runs"}


def verdict_on_events(log: Sequence[Placed], load: Load) -> Verdict:
    """Judge the events topic."""
    histories = by_execution(log)
    judgement = judge(histories, set(load.kinds), NEEDS, load.left_open)
    lost_items, twice = judge_items(histories, load.kinds)
    return Verdict(
        children_started_twice=judge_children(histories),
        items_recorded_twice=twice,
        undone_otherwise=judge_undoing(histories, load.kinds),
        lost=lost_items + sorted({*judgement.not_begun_once, *judgement.not_ended_once}),
        duplicate_completions=judgement.double_completions,
        early_starts=judgement.early_starts,
        broken_seq=judgement.broken_seq,
        commands_not_answered_once=_not_answered_once(log, load.commands),
    )


def _not_answered_once(log: Iterable[Placed], commands: Iterable[str]) -> list[str]:
    """Return the commands that neither led to anything nor were refused, or both, or twice."""
    led_to, refused = set(), Counter[str]()
    for _, _, recorded in log:
        if isinstance(recorded.event, CommandRefused):
            refused[recorded.event.command_id] += 1
        elif recorded.envelope.causation_id is not None:
            led_to.add(recorded.envelope.causation_id)
    return [c for c in commands if (c in led_to) + refused[c] != 1]


async def judge_rows(
    verdict: Verdict, database_url: str, load: Load, histories: Mapping[str, Sequence[object]]
) -> None:
    """Add what the two tables say; `histories` only for how far each row should have come."""
    database = await asyncpg.connect(database_url)
    try:
        executions, steps = await database.fetch(_EXECUTIONS), await database.fetch(_STEPS)
    finally:
        await database.close()
    found = {row["execution_id"]: row for row in executions}
    by_id: dict[str, list[asyncpg.Record]] = defaultdict(list)
    for step in steps:
        by_id[step["execution_id"]].append(step)
    for execution_id, kind in load.kinds.items():
        row = found.get(execution_id)
        if row is None or row["status"] != kind.ends_as:
            verdict.lost.append(f"row of {execution_id}")
        elif row["seq"] != len(histories[execution_id]):
            verdict.rows_that_differ.append(execution_id)
        _judge_steps(verdict, execution_id, kind, by_id[execution_id])
    if len(executions) != len(load.kinds):
        verdict.rows_that_differ.append(f"{len(executions)} rows for {len(load.kinds)} executions")


def _judge_steps(
    verdict: Verdict, execution_id: str, kind: Kind, steps: list[asyncpg.Record]
) -> None:
    visits = Counter((s["step_id"], s["iteration"]) for s in steps if s["status"] == "completed")
    for (step_id, iteration), count in visits.items():
        if count > 1:
            verdict.duplicate_completions.append(f"rows of {execution_id}/{step_id}/{iteration}")
    begun = [s for s in steps if s["started_at"] is not None]
    if len(begun) != visits_of(kind):
        verdict.rows_that_differ.append(f"{execution_id} has {len(begun)} rows of begun steps")
    ended_at = {s["step_id"]: s["completed_at"] for s in begun if s["iteration"] == 1}
    for step in begun:
        groups = NEEDS.get(step["step_id"], ((),))
        enabled = any(
            all((at := ended_at.get(s)) is not None and at <= step["started_at"] for s in group)
            for group in groups
        )
        if not enabled:
            verdict.early_starts.append(f"row of {execution_id}/{step['step_id']}")


def judge_runs(
    verdict: Verdict,
    runs_file: Path,
    strikes: Sequence[Strike],
    histories: Mapping[str, Sequence[RecordedEvent]],
) -> None:
    """Add what the steps left behind: a line for each run with its visit, process and moment.

    A visit runs once, and once more for each failure on record. Each run beyond that must be
    excused by a strike on the very process of one of its runs, or by one on the broker just then:
    without it nobody can keep a membership. A strike excuses one run of a visit.
    """
    starts, failures = Counter[str](), Counter[str]()
    for execution_id, history in histories.items():
        for event in (recorded.event for recorded in history):
            if isinstance(event, StepStarted | StepAttemptFailed):
                visit = f"{execution_id}:{event.step_id}:{event.iteration}"
                (starts if isinstance(event, StepStarted) else failures)[visit] += 1
    runs: dict[str, list[tuple[int, float]]] = defaultdict(list)
    for line in runs_file.read_text().splitlines():
        visit, pid, moment = line.split()
        runs[visit].append((int(pid), float(moment)))
    for visit, made in runs.items():
        extra = len(made) - 1 - failures[visit]
        verdict.extra_runs += max(0, extra)
        if len(made) > starts[visit]:
            verdict.runs_without_record.append(f"{visit} ran {len(made)} times")
        if extra > _excuses(made, strikes):
            verdict.runs_without_excuse.append(f"{visit} ran {made}")


def _excuses(made: Sequence[tuple[int, float]], strikes: Sequence[Strike]) -> int:
    return sum(
        any(
            (pid == strike.pid or strike.target == "kafka")
            and strike.began - CUT_OFF_WITHIN_S[strike.target] <= moment
            and moment <= strike.ended + GOES_ON_FOR_S[strike.target]
            for pid, moment in made
        )
        for strike in strikes
        if strike.target in CUT_OFF_WITHIN_S
    )
