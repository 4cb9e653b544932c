"""The row of a visit, in the order of the columns of `tables.VISITS`."""

from typing import Any

from tracker_service.projections.state import Visit


def visit_row(visit: Visit) -> tuple[Any, ...]:
    """Return the values of a row."""
    return (
        visit.execution_id,
        visit.step_id,
        visit.iteration,
        visit.seq,
        visit.opened_at,
        visit.input_data,
        visit.output_data,
        visit.error_info,
        visit.child_execution_id,
        visit.item_count,
        visit.item_index,
        visit.step_name,
        visit.step_type,
        visit.status,
        visit.started_at,
        visit.completed_at,
        visit.attempt,
        visit.attempt - 1,
        visit.error_message,
        visit.execution_time_ms,
        visit.interaction_id,
    )
