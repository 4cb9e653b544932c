"""Records people read, straight from a fold's result: no row of them needs to be stored."""

from collections.abc import Sequence
from typing import Any, Final

from msgspec import Raw

from tracker_service.projections.row_changes import Answer, Changes
from tracker_service.projections.state import ExecutionState, Visit
from tracker_service.projections.stored_payloads import NO_STEP
from tracker_service.store.queries import Row
from tracker_service.store.sql import records
from tracker_service.store.sql.columns import Table
from tracker_service.store.sql.items import counts_of, with_counts
from tracker_service.store.sql.stored_payloads import references
from tracker_service.store.sql.tables import EXECUTIONS, QUESTIONS, VISITS

_PENDING: Final = {
    "status": "pending",
    "human_input": None,
    "responded_by": None,
    "completed_at": None,
}


def execution_record(state: ExecutionState, changes: Changes) -> Row:
    """Return the record of an execution."""
    found = _columns(EXECUTIONS, state)
    found["position"] = f"{state.partition}:{state.offset}"
    found["first_position"] = f"{state.partition}:{state.first_offset}"
    record = _record(found, records.EXECUTION)
    kept = references(changes.stored_payloads, state.execution_id, NO_STEP, 0)
    return record | {"references": kept}


def step_records(changes: Changes) -> list[Row]:
    """Return the records of the visits to steps, in the order they began; items are apart."""
    steps = [visit for visit in changes.visits.values() if visit.item_index is None]
    visits = sorted(steps, key=lambda visit: visit.seq)
    said = {(one.step_id, one.iteration): Raw(one.progress.encode()) for one in changes.progress}
    found = [
        _record(_visit(visit), records.STEP)
        | {"last_heartbeat": said.get((visit.step_id, visit.iteration))}
        | {"references": _kept(visit, changes)}
        for visit in visits
    ]
    return [*with_counts(found, counts_of(changes.visits.values()))]


def interaction_records(changes: Changes) -> list[Row]:
    """Return the records of the questions, oldest first; one once answered stays as it is."""
    asked: dict[str, Row] = {}
    for question in changes.questions:
        asked.setdefault(question.interaction_id, _columns(QUESTIONS, question) | _PENDING)
    for answer in changes.answers:
        found = asked.get(answer.interaction_id)
        if found is not None and found["status"] == "pending":
            found.update(_answered(answer))
    in_order = sorted(asked.values(), key=lambda row: (row["created_at"], row["interaction_id"]))
    return [
        _record(row, records.INTERACTION)
        | {
            "references": references(
                changes.stored_payloads, row["execution_id"], row["step_id"], row["iteration"]
            )
        }
        for row in in_order
    ]


def _kept(visit: Visit, changes: Changes) -> Raw | None:
    return references(changes.stored_payloads, visit.execution_id, visit.step_id, visit.iteration)


def _visit(visit: Visit) -> Row:
    name = f"{visit.execution_id}:{visit.step_id}:{visit.iteration}"
    return _columns(VISITS, visit) | {"step_execution_id": name, "metadata": "{}"}


def _answered(answer: Answer) -> Row:
    return {name: getattr(answer, name) for name in _PENDING}


def _columns(table: Table[Any], result: Any) -> Row:
    values: Sequence[Any] = table.row(result)
    return dict(zip(table.names, values, strict=True))


def _record(found: Row, columns: str) -> Row:
    return {name: _value(name, found[name]) for name in records.names(columns)}


def _value(name: str, value: Any) -> Any:
    return Raw(value.encode()) if name in records.JSON_COLUMNS and value else value
