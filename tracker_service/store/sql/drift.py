"""The query for what the tracker's check of rows against the log has found; both databases."""

from typing import Final

DRIFT_SQL: Final = """
SELECT (SELECT checked_at FROM drift_checks WHERE topic = $1) AS checked_at,
    COALESCE((SELECT checked FROM drift_checks WHERE topic = $1), 0) AS checked,
    count(*) AS drifted_executions, COALESCE(sum(drifted_rows), 0) AS drifted_rows,
    max(execution_id) AS last_execution_id
FROM drifted_executions WHERE topic = $1
"""
