"""Records people read back: executions, step executions, interactions; keys in this order.

The first keys are those the library that steplog replaces returned, in its order; ours follow.
Times are ISO-8601 in UTC with microseconds; durations are milliseconds, up to three decimals.
"""

from datetime import datetime
from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field

from steplog_contracts.data_ref import References
from steplog_contracts.failure_summary import failure_summary
from steplog_contracts.payload import JsonObject, JsonValue


class ExecutionStatus(StrEnum):
    """How an execution stands. The last three are final: such a row never changes again."""

    PENDING = "pending"
    RUNNING = "running"
    WAITING_FOR_HUMAN = "waiting_for_human"
    PAUSED = "paused"
    COMPENSATING = "compensating"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


class StepStatus(StrEnum):
    """How one visit to a step stands. The last four are final."""

    PENDING = "pending"
    RUNNING = "running"
    WAITING_FOR_HUMAN = "waiting_for_human"
    COMPLETED = "completed"
    FAILED = "failed"
    SKIPPED = "skipped"
    CANCELLED = "cancelled"


FINAL_EXECUTION_STATUSES = frozenset(
    {ExecutionStatus.COMPLETED, ExecutionStatus.FAILED, ExecutionStatus.CANCELLED}
)
FINAL_STEP_STATUSES = frozenset(
    {StepStatus.COMPLETED, StepStatus.FAILED, StepStatus.SKIPPED, StepStatus.CANCELLED}
)


class RowRecord(BaseModel):
    """A row as people read it; unknown keys of a newer tracker are ignored.

    `references` names, by JSON pointer into the record, the values that are kept in the payload
    store; the record has null in their place (`steplog_contracts.data_ref`).
    """

    model_config = ConfigDict(frozen=True, extra="ignore")


def steps_to_complete(status: str, completed: int, failed: int, total: int) -> int:
    """Return how many steps an execution has to complete: where it completed, those it came to.

    What no path led to was not left undone.
    """
    return completed + failed if status == ExecutionStatus.COMPLETED else total


class ExecutionRecord(RowRecord):
    """One execution."""

    execution_id: str
    pipeline_id: str
    pipeline_name: str
    status: ExecutionStatus
    started_at: datetime
    completed_at: datetime | None = None
    total_steps: int = 0
    completed_steps: int = 0
    failed_steps: int = 0
    input_data: JsonValue = None
    output_data: JsonValue = None
    error_message: str | None = None
    execution_time_ms: float | None = None
    metadata: JsonObject = Field(default_factory=dict)
    current_step: str | None = None
    version: str | None = None
    parent_execution_id: str | None = None
    forked_from: str | None = None
    seq: int = 0  # Last event applied.
    position: str | None = None  # "partition:offset" of that event.
    incomplete: bool = False  # An event of this execution is set aside; the row may be behind.
    references: References | None = None
    error_info: JsonValue = None  # The recorded `ErrorInfo`: type, traceback, step, attempt.

    @property
    def failure(self) -> str | None:
        """What a failed execution is shown by: step, kind of error, message, place in the code."""
        return failure_summary(self.error_message, self.error_info)

    @property
    def steps_to_complete(self) -> int:
        """How many steps it has to complete; where it completed, those it came to."""
        return steps_to_complete(
            self.status, self.completed_steps, self.failed_steps, self.total_steps
        )


class StepRecord(RowRecord):
    """One visit to a step."""

    step_execution_id: str
    execution_id: str
    step_id: str
    step_name: str
    step_type: str
    status: StepStatus
    started_at: datetime | None = None
    completed_at: datetime | None = None
    input_data: JsonValue = None
    output_data: JsonValue = None
    error_message: str | None = None
    execution_time_ms: float | None = None
    retry_count: int = 0
    metadata: JsonObject = Field(default_factory=dict)
    iteration: int = 1
    attempt: int = 1
    seq: int = 0  # Of the event that opened the visit: the order in which steps began.
    references: References | None = None
    error_info: JsonValue = None
    item_index: int | None = None  # Of a visit to one item of a map.
    item_count: int | None = None  # Of a map.
    item_counts: dict[str, int] | None = None  # Of a map: its items that have begun, by status.
    child_execution_id: str | None = None  # The execution that the step began.
    last_heartbeat: JsonValue = None  # The newest progress that its attempts said.

    @property
    def failure(self) -> str | None:
        """What a failed visit is shown by."""
        return failure_summary(self.error_message, self.error_info)


class InteractionRecord(RowRecord):
    """One question to a person."""

    interaction_id: str
    execution_id: str
    pipeline_id: str
    step_id: str
    step_name: str
    status: str  # pending, completed, expired or cancelled.
    ui_schema: JsonValue = None
    prompt: str | None = None
    context_data: JsonValue = None
    human_input: JsonValue = None
    responded_by: str | None = None
    created_at: datetime
    expires_at: datetime | None = None
    completed_at: datetime | None = None
    references: References | None = None
