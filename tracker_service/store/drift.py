"""What the tracker's own check of rows against the log has found so far."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Drift:
    """Totals of one log's check: `drifted_rows` counts rows that differ from the log right now."""

    checked_at: datetime | None = None
    checked: int = 0
    drifted_executions: int = 0
    drifted_rows: int = 0
    last_execution_id: str | None = None
