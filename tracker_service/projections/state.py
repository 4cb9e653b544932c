"""What the fold remembers of an execution between two events; payloads are not part of it.

A state holds what decides later rows: status, counts, open visits. Inputs and outputs pass
through a visit on their way to its row and are dropped once written, so what a live execution costs
in memory does not grow with the data it carries.
"""

from datetime import datetime

from msgspec import Struct, field

from steplog_contracts.records import ExecutionStatus, StepStatus

# Plain strings: these are compared and written for every event.
RUNNING = ExecutionStatus.RUNNING.value
WAITING = ExecutionStatus.WAITING_FOR_HUMAN.value
COMPENSATING = ExecutionStatus.COMPENSATING.value
EXECUTION_COMPLETED = ExecutionStatus.COMPLETED.value
EXECUTION_FAILED = ExecutionStatus.FAILED.value
EXECUTION_CANCELLED = ExecutionStatus.CANCELLED.value
FINAL_STATUSES = frozenset({EXECUTION_COMPLETED, EXECUTION_FAILED, EXECUTION_CANCELLED})

STEP_PENDING = StepStatus.PENDING.value
STEP_RUNNING = StepStatus.RUNNING.value
STEP_WAITING = StepStatus.WAITING_FOR_HUMAN.value
STEP_COMPLETED = StepStatus.COMPLETED.value
STEP_FAILED = StepStatus.FAILED.value
STEP_SKIPPED = StepStatus.SKIPPED.value
STEP_CANCELLED = StepStatus.CANCELLED.value
FINAL_STEP_STATUSES = frozenset({STEP_COMPLETED, STEP_FAILED, STEP_SKIPPED, STEP_CANCELLED})

VisitKey = tuple[str, int]  # step id, iteration


class Visit(Struct, gc=False):
    """One visit to a step: a row of `step_executions`.

    `input_data`, `output_data`, `error_info`, `child_execution_id` and `item_count` are None unless
    this batch brought them.
    """

    execution_id: str
    step_id: str
    iteration: int
    seq: int  # Of the event that opened it.
    opened_at: datetime  # When that was recorded; a visit may wait long before it starts.
    step_name: str = ""
    step_type: str = "task"
    status: str = STEP_RUNNING
    started_at: datetime | None = None
    completed_at: datetime | None = None
    attempt: int = 1
    error_message: str | None = None
    execution_time_ms: float | None = None
    interaction_id: str | None = None
    input_data: str | None = None
    output_data: str | None = None
    error_info: str | None = None
    child_execution_id: str | None = None
    item_count: int | None = None
    item_index: int | None = None  # Of a visit to one item of a map.
    stored: bool = False  # Whether it has a row.


class ExecutionStartColumns(Struct, gc=False):
    """The columns of `pipeline_executions` that are written once, when an execution begins."""

    version: str | None
    definition_hash: str | None
    input_data: str
    parameters: str
    metadata: str
    command_id: str | None
    parent_execution_id: str | None
    forked_from: str | None = None
    fork_kind: str | None = None
    fork_step: str | None = None
    fork_seq: int | None = None


class ExecutionState(Struct):
    """One execution as its events so far leave it: a row of `pipeline_executions` and its visits.

    `beginning`, `output_data` and `error_info` are None unless this batch brought them.
    `incomplete`: an event of it is set aside, or was skipped for good.
    """

    execution_id: str
    pipeline_id: str
    pipeline_name: str
    started_at: datetime
    declared_steps: int
    partition: int
    status: str = RUNNING
    completed_at: datetime | None = None
    completed_steps: int = 0
    failed_steps: int = 0
    error_message: str | None = None
    execution_time_ms: float | None = None
    seq: int = 0
    offset: int = 0
    first_offset: int = 0  # Where its history begins in the partition.
    # Whether it began under an executor's epoch (`steplog_contracts.epoch`); None: in rows that
    # were written before this was kept.
    under_epoch: bool | None = None
    incomplete: bool = False
    waiting_visits: int = 0
    open_visits: dict[VisitKey, Visit] = field(default_factory=dict)
    closed_visits: set[VisitKey] = field(default_factory=set)
    # Per step its newest ended visit and how that ended; (0, "") while none has.
    outcomes: dict[str, tuple[int, str]] = field(default_factory=dict)
    beginning: ExecutionStartColumns | None = None
    output_data: str | None = None
    error_info: str | None = None

    @property
    def total_steps(self) -> int:
        """Steps declared, or seen where a writer declared fewer, so no count is above it.

        A map counts as one step, whatever its items.
        """
        return max(self.declared_steps, len(self.outcomes))

    @property
    def current_step(self) -> str | None:
        """The step begun last among those that have not ended."""
        return next(reversed(self.open_visits))[0] if self.open_visits else None

    @property
    def ended(self) -> bool:
        """Whether the row is final."""
        return self.status in FINAL_STATUSES


NO_OUTCOME = (0, "")


def restored(state: ExecutionState, visits: list[Visit]) -> ExecutionState:
    """Return the state with what its stored visits say; visits come in the order they began."""
    for visit in visits:
        key = (visit.step_id, visit.iteration)
        visit.stored = True
        if visit.status not in FINAL_STEP_STATUSES:
            state.open_visits[key] = visit
            state.waiting_visits += visit.status == STEP_WAITING
            if visit.item_index is None:
                state.outcomes.setdefault(visit.step_id, NO_OUTCOME)
            continue
        state.closed_visits.add(key)
        if visit.item_index is not None:
            continue
        if visit.iteration >= state.outcomes.get(visit.step_id, NO_OUTCOME)[0]:
            state.outcomes[visit.step_id] = (visit.iteration, visit.status)
    return state
