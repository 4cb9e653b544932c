"""What the tracker's own check of rows against the log has found so far."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

# One for both databases.
DRIFT_SQL: Final = """
SELECT (SELECT checked_at FROM drift_checks WHERE topic = $1) AS checked_at,
    COALESCE((SELECT checked FROM drift_checks WHERE topic = $1), 0) AS checked,
    count(*) AS drifted_executions, COALESCE(sum(drifted_rows), 0) AS drifted_rows,
    max(execution_id) AS last_execution_id
FROM drifted_executions WHERE topic = $1
"""


@dataclass(frozen=True, slots=True)
class Drift:
    """Totals of one log's check: `drifted_rows` counts rows that differ from the log right now."""

    checked_at: datetime | None = None
    checked: int = 0
    drifted_executions: int = 0
    drifted_rows: int = 0
    last_execution_id: str | None = None
