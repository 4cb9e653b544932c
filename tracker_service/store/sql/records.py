"""Select lists of the records people read, in their published order; one for both databases."""

from typing import Final

from tracker_service.store.sql.tables import ALL_TABLES

EXECUTION: Final = (
    "execution_id, pipeline_id, pipeline_name, status, started_at, completed_at, total_steps, "
    "completed_steps, failed_steps, input_data, output_data, error_message, execution_time_ms, "
    "metadata, current_step, version, parent_execution_id, forked_from, seq, "
    "partition || ':' || log_offset AS position, incomplete, error_info, parameters, "
    "definition_hash, command_id, fork_kind, fork_step, fork_seq, "
    "partition || ':' || first_offset AS first_position"
)
# A row of a list: without what may be large.
EXECUTION_BRIEF: Final = ", ".join(
    column
    for column in EXECUTION.split(", ")
    if column not in ("input_data", "output_data", "error_info", "parameters")
)
STEP: Final = (
    "step_execution_id, execution_id, step_id, step_name, step_type, status, started_at, "
    "completed_at, input_data, output_data, error_message, execution_time_ms, retry_count, "
    "metadata, iteration, attempt, seq, error_info, interaction_id, item_index, item_count, "
    "child_execution_id"
)
# Of a visit; the past asks for those up to a moment in place of `ANY_HEARTBEAT`.
ANY_HEARTBEAT: Final = "h.seq > 0"
LAST_HEARTBEAT: Final = (
    "(SELECT h.progress FROM step_progress AS h "  # noqa: S608 - made of constants
    "WHERE h.execution_id = step_executions.execution_id AND h.step_id = step_executions.step_id "
    f"AND h.iteration = step_executions.iteration AND {ANY_HEARTBEAT} "
    "ORDER BY h.seq DESC LIMIT 1) AS last_heartbeat"
)
# A visit as a timeline shows it: without what may be large.
BAR: Final = (
    "step_execution_id, step_id, step_name, step_type, status, started_at, completed_at, "
    "execution_time_ms, iteration, attempt, seq, interaction_id, error_message, item_count, "
    "child_execution_id, " + LAST_HEARTBEAT
)
INTERACTION: Final = (
    "interaction_id, execution_id, pipeline_id, step_id, step_name, status, ui_schema, prompt, "
    "context_data, human_input, responded_by, created_at, expires_at, completed_at, iteration, "
    "channels, assigned_users"
)
ATTEMPT: Final = (
    "step_id, iteration, attempt, seq, failed_at, retry_at, duration_ms, error_message, error_info"
)
STATUS_CHANGE: Final = "seq, status, changed_at"
COMPENSATION: Final = (
    "step_id, iteration, seq, compensated_at, output_data, error_info, duration_ms"
)
_KEYS: Final = {
    "pipeline_executions": (EXECUTION, ("execution_id",), " AND p.step_id = ''"),
    "step_executions": (STEP, ("execution_id", "step_id", "iteration"), ""),
    "interactions": (INTERACTION, ("execution_id", "step_id", "iteration"), ""),
}


def with_references(table: str, object_of_rows: str) -> str:
    """Return the select list of a table's records, and which of their values are stored apart."""
    columns, keys, more = _KEYS[table]
    rows = " AND ".join(f"p.{key} = {table}.{key}" for key in keys) + more
    stored = f"SELECT {object_of_rows} FROM stored_payloads AS p WHERE {rows}"  # noqa: S608
    heartbeat = f", {LAST_HEARTBEAT}" if table == "step_executions" else ""
    return f'{columns}{heartbeat}, ({stored}) AS "references"'


JSON_COLUMNS: Final = frozenset(
    (
        *(column.name for table in ALL_TABLES for column in table.columns if column.type == "json"),
        *("human_input", "last_heartbeat", "references"),
    )
)


def names(columns: str) -> list[str]:
    """Return the names of a select list's columns."""
    return [column.rpartition(" ")[2] for column in columns.split(", ")]


PIPELINES = """
SELECT pipeline_id, max(pipeline_name) AS pipeline_name, count(*) AS definitions,
    max(first_seen_at) AS newest_definition_at
FROM pipeline_definitions GROUP BY pipeline_id ORDER BY pipeline_id LIMIT 1000
"""
