"""Why an execution stands where it stands: what it waits for, and what a person can do.

Each reason has a code for programs, a sentence, and a remedy; the most telling comes first. All of
it is read from the rows, so it is as fresh as they are, and says so where they are behind.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from steplog_contracts.envelope import format_time
from steplog_contracts.failure_summary import failure_summary
from tracker_service.projections.state import FINAL_STATUSES
from tracker_service.store.freshness import Freshness
from tracker_service.store.queries import Row

# A step without an end or a sign of life for so long may have lost its process.
LONG_RUNNING: Final = timedelta(minutes=10)
MAX_REASONS: Final = 20


@dataclass(frozen=True, slots=True)
class Reason:
    """One thing that an execution waits for, or why it ended."""

    code: str
    sentence: str
    remedy: str | None = None
    step_id: str | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """What is known of an execution."""

    execution: Row
    visits: Sequence[Row]
    attempts: Sequence[Row]
    questions: Sequence[Row]
    undoings: Sequence[Row]
    children: Mapping[str, Row]
    freshness: Freshness


def reasons(standing: Standing) -> list[dict[str, Any]]:
    """Return why it stands where it stands, the most telling reason first."""
    found = [*_of_rows(standing.freshness), *_of_execution(standing)]
    told = [asdict(reason) for reason in found[:MAX_REASONS]]
    return [
        {**one, "until": None if one["until"] is None else format_time(one["until"])}
        for one in told
    ]


def _of_rows(freshness: Freshness) -> Iterator[Reason]:
    if lost := freshness.lost_reason:
        yield Reason("log_lost", lost, "make the rows again with `steplog rebuild`")
    elif freshness.tracker == "away":
        yield Reason(
            "tracker_away",
            "No tracker looks at the log, so what follows may be old.",
            "start a tracker worker; `steplog lag` tells when it has caught up",
        )
    elif freshness.gap:
        yield Reason(
            "rows_behind",
            f"The rows are {freshness.gap} events ({freshness.lag_s:.1f} s) behind the log.",
            "ask again in a moment",
        )


def _of_execution(standing: Standing) -> Iterator[Reason]:
    execution, status = standing.execution, standing.execution["status"]
    execution_id = execution["execution_id"]
    if status == "failed":
        failure = _failure(execution["error_message"], execution["error_info"])
        yield Reason(
            "failed",
            f"It failed: {failure or 'no error is on record'}",
            f"mend the cause, then `steplog retry {execution_id}`",
        )
    elif status == "cancelled":
        told = execution["error_message"]
        yield Reason(
            "cancelled",
            f"It was cancelled{f': {told}' if told else '.'}",
            f"`steplog retry {execution_id}` goes on where it stopped",
        )
    elif status == "completed":
        yield Reason("completed", "It completed; it waits for nothing.")
    elif status in ("compensating", "paused"):
        yield from _of_undoing(standing)
    if status not in FINAL_STATUSES:
        yield from _of_visits(standing)
    if execution["incomplete"]:
        yield Reason(
            "event_set_aside",
            "An event of it could not be read and was set aside, so its rows may be behind.",
            "see it with `steplog dead-letters list`",
        )


def _of_undoing(standing: Standing) -> Iterator[Reason]:
    failed = [one for one in standing.undoings if one["compensated_at"] is None]
    stuck = failed[-1] if failed else None
    if standing.execution["status"] == "paused" or stuck is not None:
        step_id = None if stuck is None else stuck["step_id"]
        error = None if stuck is None else _failure(None, stuck["error_info"])
        yield Reason(
            "compensation_stuck",
            f"What step '{step_id}' did could not be undone{f': {error}' if error else '.'}",
            f"mend the cause, then `steplog resume {standing.execution['execution_id']}`",
            step_id,
        )
    else:
        yield Reason("compensating", "What it did is being undone, the newest step first.")


def _of_visits(standing: Standing) -> Iterator[Reason]:
    open_visits = [one for one in standing.visits if one["completed_at"] is None]
    order = {"waiting_for_human": 0, "running": 1, "pending": 2}
    for visit in sorted(open_visits, key=lambda one: order.get(one["status"], 3)):
        reason = _of_visit(standing, visit)
        if reason is not None:
            yield reason
    if not open_visits and standing.execution["status"] in ("running", "pending"):
        yield Reason(
            "not_begun" if not standing.visits else "between_steps",
            "No step of it has begun." if not standing.visits else "Its next step has not begun.",
            "it begins when its time has come and a slot is free; if this lasts, see that an "
            "executor runs and is ready",
        )


def _of_visit(standing: Standing, visit: Row) -> Reason | None:
    step_id, now = visit["step_id"], standing.freshness.now
    if visit["status"] == "waiting_for_human":
        return _of_question(standing, step_id)
    if visit["child_execution_id"] is not None:
        return _of_child(standing, visit)
    retried = _next_attempt(standing.attempts, visit)
    if retried is not None:
        late = retried["retry_at"] <= now
        return Reason(
            "next_attempt_due" if late else "waits_for_next_attempt",
            f"Attempt {retried['attempt']} of step '{step_id}' failed: {retried['error_message']}. "
            + ("The next one is due." if late else "The next one follows at its time."),
            "if this lasts, see that an executor runs and is ready" if late else None,
            step_id,
            retried["retry_at"],
        )
    if visit["status"] == "pending":
        return Reason(
            "waits_for_time",
            f"Step '{step_id}' waits for its time.",
            f"`steplog events {standing.execution['execution_id']}` has it as due_at",
            step_id,
        )
    return _of_running(visit, now)


def _of_question(standing: Standing, step_id: str) -> Reason:
    asked = [
        one for one in standing.questions
        if one["step_id"] == step_id and one["status"] == "pending"
    ]  # fmt: skip
    question = asked[-1] if asked else None
    prompt = (question and question["prompt"]) or "an answer is needed"
    return Reason(
        "waits_for_person",
        f"Step '{step_id}' waits for a person: {prompt}",
        f"answer it with `steplog resume {standing.execution['execution_id']} --step {step_id}`",
        step_id,
        question["expires_at"] if question else None,
    )


def _of_child(standing: Standing, visit: Row) -> Reason:
    child_id = visit["child_execution_id"]
    child = standing.children.get(child_id)
    stands = "has no rows yet" if child is None else f"is {child['status'].replace('_', ' ')}"
    return Reason(
        "waits_for_child",
        f"Step '{visit['step_id']}' waits for execution {child_id}, which {stands}.",
        f"`steplog why {child_id}` says what that waits for",
        visit["step_id"],
    )


def _next_attempt(attempts: Sequence[Row], visit: Row) -> Row | None:
    """Return the newest failed attempt of a visit that no other has followed."""
    of_visit = [
        one for one in attempts
        if (one["step_id"], one["iteration"]) == (visit["step_id"], visit["iteration"])
    ]  # fmt: skip
    if not of_visit:
        return None
    newest = max(of_visit, key=lambda one: one["attempt"])
    return newest if newest["attempt"] >= visit["attempt"] else None


def _of_running(visit: Row, now: datetime) -> Reason:
    began, step_id = visit["started_at"], visit["step_id"]
    for_s = 0.0 if began is None else max(0.0, (now - began).total_seconds())
    tally = visit.get("item_counts")
    if tally:
        counted = ", ".join(f"{count} {status}" for status, count in sorted(tally.items()))
        total = visit["item_count"]
        return Reason(
            "runs_items", f"Map '{step_id}' runs: {counted} of {total} items.", None, step_id
        )
    long = timedelta(seconds=for_s) > LONG_RUNNING
    return Reason(
        "step_runs_long" if long else "step_runs",
        f"Step '{step_id}' runs for {_spoken(for_s)}, attempt {visit['attempt']}.",
        "if it does not end: its executor may have died (another one goes on), or its code hangs; "
        "give it a timeout_seconds" if long else None,
        step_id,
    )  # fmt: skip


def _failure(message: str | None, error_info: Any) -> str | None:
    info = None if error_info is None else json.loads(bytes(error_info))
    return failure_summary(message, info)


def _spoken(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    if seconds < 2 * 3600:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.0f} h"
