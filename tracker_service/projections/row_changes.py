"""What one batch changes: rows to write, gathered per key so that each is written once."""

from datetime import datetime

from msgspec import Struct, field

from tracker_service.projections.state import ExecutionState, Visit


class FailedAttempt(Struct, gc=False, frozen=True):
    """An attempt that failed and was followed by another; the last attempt is the visit itself."""

    execution_id: str
    step_id: str
    iteration: int
    attempt: int
    seq: int
    failed_at: datetime
    retry_at: datetime
    duration_ms: float
    error_message: str
    error_info: str


class Progress(Struct, gc=False, frozen=True):
    """What a running visit said of itself by a heartbeat."""

    execution_id: str
    step_id: str
    iteration: int
    seq: int
    attempt: int
    progressed_at: datetime
    progress: str


class Question(Struct, gc=False):
    """A question to a person, as asked."""

    interaction_id: str
    execution_id: str
    pipeline_id: str
    step_id: str
    step_name: str
    iteration: int
    prompt: str | None
    ui_schema: str | None
    channels: str | None
    assigned_users: str | None
    context_data: str | None
    created_at: datetime
    expires_at: datetime | None


class Answer(Struct, gc=False, frozen=True):
    """How a question ended: completed, expired or cancelled."""

    interaction_id: str
    status: str
    completed_at: datetime
    human_input: str | None = None
    responded_by: str | None = None


class StatusChange(Struct, gc=False, frozen=True):
    """A change of an execution's status between its beginning and its end.

    ExecutionStartColumns and end stand in the execution's own row, so most executions have none.
    """

    execution_id: str
    seq: int
    status: str
    changed_at: datetime


class Compensation(Struct, gc=False, frozen=True):
    """A completed step that was undone."""

    execution_id: str
    step_id: str
    iteration: int
    seq: int
    compensated_at: datetime
    output_data: str | None
    error_info: str | None
    duration_ms: float


class AppliedCommand(Struct, gc=False, frozen=True):
    """A command whose effect is in the rows, other than the one that began the execution."""

    command_id: str
    execution_id: str
    offset: int
    applied_at: datetime


class RefusedCommand(Struct, gc=False, frozen=True):
    """A command that changed nothing, and why."""

    command_id: str
    execution_id: str
    command_type: str
    code: str
    message: str
    offset: int
    refused_at: datetime


class Definition(Struct, gc=False, frozen=True):
    """A pipeline definition as JSON text, by its sha256."""

    definition_hash: str
    pipeline_id: str
    pipeline_name: str
    definition: str
    first_seen_at: datetime


class StoredPayload(Struct, gc=False, frozen=True):
    """A value of a record that is kept in the payload store; `pointer` says which."""

    execution_id: str
    step_id: str  # Empty for the execution's own record.
    iteration: int
    pointer: str
    uri: str
    sha256: str
    size_bytes: int
    pointer_hash: str  # sha256 of the pointer, which may be too long for a key.


class SetAside(Struct, gc=False, frozen=True):
    """A record that was not applied: poison itself, or parked behind one of its execution."""

    offset: int
    execution_id: str | None
    seq: int
    parked: bool
    code: str
    reason: str
    epoch: int | None = None  # In force when it was read.


class Counts(Struct):
    """Records that left no trace in the rows, by reason; for metrics."""

    repeats: int = 0
    stale: int = 0
    unknown: int = 0
    after_end: int = 0


class Changes(Struct):
    """Everything one batch changes besides the position."""

    executions: dict[str, ExecutionState] = field(default_factory=dict)
    visits: dict[tuple[str, str, int], Visit] = field(default_factory=dict)
    failed_attempts: list[FailedAttempt] = field(default_factory=list)
    progress: list[Progress] = field(default_factory=list)
    questions: list[Question] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)
    status_changes: list[StatusChange] = field(default_factory=list)
    compensations: list[Compensation] = field(default_factory=list)
    applied_commands: dict[str, AppliedCommand] = field(default_factory=dict)
    refused_commands: dict[str, RefusedCommand] = field(default_factory=dict)
    definitions: dict[str, Definition] = field(default_factory=dict)
    stored_payloads: list[StoredPayload] = field(default_factory=list)
    set_aside: list[SetAside] = field(default_factory=list)
    counts: Counts = field(default_factory=Counts)

    @property
    def only_rows(self) -> bool:
        """Whether nothing but executions and visits changed, as in most batches."""
        return not (
            self.failed_attempts
            or self.progress
            or self.questions
            or self.answers
            or self.status_changes
            or self.compensations
            or self.applied_commands
            or self.refused_commands
            or self.definitions
            or self.stored_payloads
            or self.set_aside
        )

    def add(self, others: "Changes") -> None:
        """Take in what a fold of other executions changes."""
        for name in self.__struct_fields__:
            mine, theirs = getattr(self, name), getattr(others, name)
            if isinstance(mine, dict):
                mine.update(theirs)
            elif isinstance(mine, list):
                mine += theirs

    def written(self) -> None:
        """Drop the payloads from states that live on; they are in the rows now."""
        for state in self.executions.values():
            state.beginning = None
            state.output_data = None
            state.error_info = None
        for visit in self.visits.values():
            visit.stored = True
            visit.input_data = None
            visit.output_data = None
            visit.error_info = None
