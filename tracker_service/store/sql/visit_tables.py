"""The tables of what hangs on a visit: failed attempts, heartbeats, undoings; rows are only added.

One column per field of the fold's result, in its order.
"""

from typing import Final

from msgspec import structs

from tracker_service.projections.row_changes import Compensation, FailedAttempt, Progress
from tracker_service.store.sql.columns import Table, columns

FAILED_ATTEMPTS: Final = Table[FailedAttempt](
    "step_attempts",
    columns(
        """
        execution_id text key
        step_id text key
        iteration integer key
        attempt integer key
        seq bigint once
        failed_at timestamptz once
        retry_at timestamptz once
        duration_ms float8 once
        error_message text once
        error_info json once
        """
    ),
    structs.astuple,
)
PROGRESS: Final = Table[Progress](
    "step_progress",
    columns(
        """
        execution_id text key
        step_id text key
        iteration integer key
        seq bigint key
        attempt integer once
        progressed_at timestamptz once
        progress json once
        """
    ),
    structs.astuple,
)
COMPENSATIONS: Final = Table[Compensation](
    "step_compensations",
    columns(
        """
        execution_id text key
        step_id text key
        iteration integer key
        seq bigint key
        compensated_at timestamptz once
        output_data json once
        error_info json once
        duration_ms float8 once
        """
    ),
    structs.astuple,
)
