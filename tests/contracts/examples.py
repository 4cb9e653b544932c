"""One example of each event and command, with every field filled in."""

from datetime import UTC, datetime

from steplog_contracts.commands import (
    CancelExecution,
    ChildEnded,
    Command,
    ForkExecution,
    ResumeExecution,
    RetryExecution,
    RunPipeline,
)
from steplog_contracts.events import (
    CommandRefused,
    ErrorInfo,
    Event,
    ExecutionCancelled,
    ExecutionCompensating,
    ExecutionCompleted,
    ExecutionDeadlinePassed,
    ExecutionFailed,
    ExecutionStarted,
    Origin,
    PartitionClaimed,
    StepAttemptFailed,
    StepCancelled,
    StepChildStarted,
    StepCompensated,
    StepCompensationFailed,
    StepCompensationStarted,
    StepCompleted,
    StepFailed,
    StepProgressed,
    StepResumed,
    StepScheduled,
    StepSkipped,
    StepStarted,
    StepWaiting,
)
from steplog_contracts.parent_visit import ParentVisit

AT = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
ERROR = ErrorInfo(
    type="builtins.ValueError", message="no", traceback="…", step_id="clean", attempt=2
)
DEFINITION = {"name": "weather", "steps": [{"id": "clean"}], "flow": {"start_at": "clean"}}

EVENTS: tuple[Event, ...] = (
    ExecutionStarted(
        pipeline_id="weather",
        pipeline_name="Weather",
        pipeline_version="3",
        definition=DEFINITION,
        definition_hash="ab" * 32,
        input={"city": "Seattle", "nul": "a\x00b"},
        parameters={"year": 2012},
        metadata={"source": "test"},
        total_steps=1,
        command_id="c-1",
        origin=Origin(execution_id="e-0", kind="fork", from_step="clean", at_seq=4),
        parent_execution_id="e-9",
    ),
    StepScheduled(step_id="clean", due_at=AT),
    StepStarted(step_id="clean", step_name="Clean", step_type="task", input={"rows": [1, 2.5]}),
    StepAttemptFailed(step_id="clean", error=ERROR, retry_at=AT, duration_ms=0.125),
    StepProgressed(step_id="clean", progress={"rows": 7}),
    StepCompleted(
        step_id="clean",
        attempt=2,
        output={"ok": True},
        taken=(0, 3),
        used_fallback=True,
        error=ERROR,
        duration_ms=12.5,
    ),
    StepFailed(
        step_id="clean", error=ERROR, continued=True, output={"e": 1}, taken=(1,), duration_ms=3
    ),
    StepSkipped(step_id="plot", step_name="Plot", step_type="task", reason="not taken"),
    StepCancelled(step_id="clean", reason="asked", duration_ms=1),
    StepWaiting(
        step_id="ask",
        interaction_id="i-1",
        prompt="ok?",
        ui_schema={"fields": []},
        channels=["web"],
        assigned_users=["ada"],
        output={"status": "x"},
        expires_at=AT,
    ),
    StepResumed(
        step_id="ask",
        interaction_id="i-1",
        human_input={"ok": 1},
        responded_by="ada",
        timed_out=True,
    ),
    StepChildStarted(step_id="pay", child_execution_id="c-1"),
    StepCompensated(step_id="clean", output=None, error=ERROR, duration_ms=1),
    ExecutionCompensating(error=ERROR, reason="", requested_by="anna"),
    StepCompensationStarted(step_id="clean", attempt=2),
    StepCompensationFailed(step_id="clean", attempt=2, error=ERROR, retry_at=AT, duration_ms=1),
    ExecutionDeadlinePassed(to_step="late", passed_at=AT),
    ExecutionCompleted(output={"done": [True, None]}, duration_ms=99.999),
    ExecutionFailed(error=ERROR, duration_ms=1),
    ExecutionCancelled(reason="asked", requested_by="ada", duration_ms=1),
    CommandRefused(command_id="c-2", command_type="t", code="duplicate_execution", message="No."),
    PartitionClaimed(partition=3, owner="host-1"),
)

COMMANDS: tuple[Command, ...] = (
    RunPipeline(
        execution_id="e-1", requested_by="ada", pipeline="weather", definition=DEFINITION,
        input={"city": "Seattle"}, parameters={"year": 2012}, metadata={"a": 1}, not_before=AT,
        priority=5, concurrency_key="seattle", parent_execution_id="e-9",
    ),
    CancelExecution(execution_id="e-1", reason="asked"),
    ResumeExecution(execution_id="e-1", step_id="ask", human_input={"ok": True}),
    RetryExecution(execution_id="e-2", origin_execution_id="e-1"),
    ForkExecution(
        execution_id="e-2", origin_execution_id="e-1", from_step="clean", input_patch={"x": 1}
    ),
    ChildEnded(
        execution_id="e-1", child_execution_id="c-1", visit=ParentVisit(step_id="pay"),
        status="failed", error=ERROR,
    ),
)  # fmt: skip
