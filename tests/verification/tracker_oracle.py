"""What the rows must say, told from a whole log at once.

Written apart from the fold and in another manner: the fold goes forward event by event, this looks
back over a finished history; it decodes through the contract, not through the lens. It tells only
what a reader can ask for, so it is short enough to be checked by eye.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from steplog_contracts import events
from steplog_contracts.codec import decode_event
from steplog_contracts.envelope import RecordedEvent
from steplog_contracts.errors import UndecodableRecord
from tests.tracker.histories import LogEntry

CLOSING = (events.StepCompleted, events.StepFailed, events.StepCancelled, events.StepSkipped)
STATUS_OF = {
    events.StepCompleted: "completed",
    events.StepFailed: "failed",
    events.StepCancelled: "cancelled",
    events.StepSkipped: "skipped",
    events.StepWaiting: "waiting_for_human",
    events.StepScheduled: "pending",
    events.ExecutionCompleted: "completed",
    events.ExecutionFailed: "failed",
    events.ExecutionCancelled: "cancelled",
}
# What is said of a step whose row stays as it ended, and what leaves a visit's status as it is.
OF_UNDOING = (
    events.StepCompensationStarted,
    events.StepCompensationFailed,
    events.StepCompensated,
)
NO_STATUS = (events.StepProgressed, events.StepAttemptFailed)
Rows = dict[str, dict[str, Any]]


def expected_rows(partitions: Iterable[Sequence[LogEntry]]) -> Rows:
    """Return what a reader must find, by execution."""
    rows: Rows = {}
    for entries in partitions:
        histories: dict[str, list[RecordedEvent | None]] = {}
        for entry in valid(entries):
            name = (entry.key or b"").decode()
            histories.setdefault(name, []).append(decoded(entry))
        for name, history in histories.items():
            taken, broken = in_order(history)
            if taken:
                rows[name] = execution_row(taken, broken=broken)
    return rows


def valid(entries: Sequence[LogEntry]) -> list[LogEntry]:
    """Leave out claims and everything not written under the newest claim before it."""
    kept, epoch = [], b""
    for entry in entries:
        headers = dict(entry.headers)
        if headers["ce_type"] == events.PartitionClaimed.event_type.encode():
            epoch = b"%d" % entry.offset
        elif headers["ce_writerepoch"] == epoch:
            kept.append(entry)
    return kept


def decoded(entry: LogEntry) -> RecordedEvent | None:
    """Return the event, or None for poison."""
    try:
        return decode_event(entry.value, entry.headers)
    except UndecodableRecord:
        return None


def in_order(history: list[RecordedEvent | None]) -> tuple[list[events.Event], bool]:
    """Return the events up to the first that can't be read or leaves a hole, and if one was."""
    taken: list[events.Event] = []
    for recorded in history:
        if taken and isinstance(taken[-1], events.ENDINGS):
            break
        if recorded is None or recorded.envelope.seq > len(taken) + 1:
            return taken, True
        if recorded.envelope.seq == len(taken) + 1:
            taken.append(recorded.event)
    return taken, False


def execution_row(history: list[events.Event], *, broken: bool) -> dict[str, Any]:
    """Return the row of an execution and its steps."""
    started, last = history[0], history[-1]
    assert isinstance(started, events.ExecutionStarted)
    ended = isinstance(last, events.ENDINGS)
    steps = step_rows(history, ended=ended)
    declared = [step for step in steps if not is_item(step)]
    newest = {s["step_id"]: s["status"] for s in sorted_by_iteration(declared, closed=True)}
    undoing = any(isinstance(event, events.ExecutionCompensating) for event in history)
    open_status = "compensating" if undoing else running_or_waiting(steps)
    return {
        "status": STATUS_OF[type(last)] if ended else open_status,
        "completed_steps": list(newest.values()).count("completed"),
        "failed_steps": list(newest.values()).count("failed"),
        "total_steps": max(started.total_steps, len({s["step_id"] for s in declared})),
        "seq": len(history),
        "output_data": getattr(last, "output", None) if ended else None,
        "incomplete": broken,
        "steps": declared,
        "items": sorted((s for s in steps if is_item(s)), key=lambda item: item["step_id"]),
    }


def running_or_waiting(steps: list[dict[str, Any]]) -> str:
    """Return the status of an execution that has not ended; a map waits as its items do."""
    closed = {"completed", "failed", "cancelled", "skipped"}
    open_ones = [step for step in steps if step["status"] not in closed]
    if any(is_item(step) for step in open_ones):
        open_ones = [step for step in open_ones if step["step_id"] != "m"]
    statuses = {step["status"] for step in open_ones}
    return "waiting_for_human" if statuses == {"waiting_for_human"} else "running"


def is_item(step: dict[str, Any]) -> bool:
    """Say whether a row is that of a map's item: it is no step of the execution."""
    return str(step["step_id"]).endswith("]")


def step_rows(history: list[events.Event], *, ended: bool) -> list[dict[str, Any]]:
    """Return the rows of all visits in the order they began."""
    visits: dict[tuple[str, int], list[events.StepEvent]] = {}
    for event in history:
        if isinstance(event, events.StepEvent) and not isinstance(event, OF_UNDOING):
            told = visits.setdefault((event.step_id, event.iteration), [])
            if not (told and isinstance(told[-1], CLOSING)):
                told.append(event)
    return [
        {
            "step_id": step_id,
            "iteration": iteration,
            "status": step_status(told, ended=ended),
            "attempt": told[-1].attempt,
            "output_data": step_output(told),
        }
        for (step_id, iteration), told in visits.items()
    ]


def step_status(told: list[events.StepEvent], *, ended: bool) -> str:
    """Return a visit's status from its last events; an ended execution leaves none open."""
    if ended and not isinstance(told[-1], CLOSING):
        return "cancelled"
    changes = [event for event in told if not isinstance(event, NO_STATUS)]
    return STATUS_OF.get(type(changes[-1]), "running") if changes else "running"


def step_output(told: list[events.StepEvent]) -> Any:
    """Return the newest output a visit's events bring."""
    outputs = [event.output for event in told if hasattr(event, "output")]
    return outputs[-1] if outputs else None


def sorted_by_iteration(steps: list[dict[str, Any]], *, closed: bool) -> list[dict[str, Any]]:
    """Return visits by iteration, ended ones only, so that the newest comes last."""
    final = {"completed", "failed", "cancelled", "skipped"}
    wanted = [step for step in steps if not closed or step["status"] in final]
    return sorted(wanted, key=lambda step: int(step["iteration"]))
