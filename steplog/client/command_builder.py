"""Commands as people ask for them: checked arguments in, a command to send out."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from steplog.client.definition_source import PipelineSource, definition_or_name
from steplog.errors import BadInput
from steplog_contracts.command_builder import made_command
from steplog_contracts.commands import (
    CancelExecution,
    ForkExecution,
    ResumeExecution,
    RetryExecution,
    RunPipeline,
)
from steplog_contracts.partitioning import new_execution_id, new_execution_id_beside
from steplog_contracts.payload import JsonValue


def run_pipeline(
    pipeline: PipelineSource, input_data: JsonValue, given: Mapping[str, Any]
) -> RunPipeline:
    """Return the command that runs a definition, or one the executor knows by name."""
    source = definition_or_name(pipeline)
    what = {"pipeline": source} if isinstance(source, str) else {"definition": source}
    named = {name: value for name, value in given.items() if value is not None}
    return made_command(
        RunPipeline,
        {
            "execution_id": new_execution_id(),
            "input": {} if input_data is None else input_data,
            **what,
            **_zone_aware(named),
        },
        BadInput,
    )


def cancel_execution(
    execution_id: str, reason: str, requested_by: str | None = None, *, compensate: bool = False
) -> CancelExecution:
    """Return the command that stops an execution, its completed steps undone if asked."""
    given: dict[str, Any] = {"execution_id": execution_id, "reason": reason}
    given |= {"requested_by": requested_by, "compensate": compensate}
    return made_command(CancelExecution, given, BadInput)


def resume_execution(
    execution_id: str,
    human_input: JsonValue,
    step_id: str | None = None,
    requested_by: str | None = None,
) -> ResumeExecution:
    """Return the command that answers a waiting step."""
    return made_command(
        ResumeExecution,
        {
            "execution_id": execution_id,
            "human_input": human_input,
            "step_id": step_id,
            "requested_by": requested_by,
        },
        BadInput,
    )


def retry_execution(
    origin_execution_id: str, partitions: int, execution_id: str | None = None
) -> RetryExecution:
    """Return the command that goes on from where a failed execution stopped."""
    new_id = execution_id or new_execution_id_beside(origin_execution_id, partitions)
    given = {"execution_id": new_id, "origin_execution_id": origin_execution_id}
    return made_command(RetryExecution, given, BadInput)


def fork_execution(
    origin_execution_id: str,
    from_step: str,
    partitions: int,
    *,
    iteration: int = 1,
    input_patch: Mapping[str, Any] | None = None,
    execution_id: str | None = None,
) -> ForkExecution:
    """Return the command that begins an execution from a recorded point of another."""
    return made_command(
        ForkExecution,
        {
            "execution_id": execution_id
            or new_execution_id_beside(origin_execution_id, partitions),
            "origin_execution_id": origin_execution_id,
            "from_step": from_step,
            "iteration": iteration,
            "input_patch": dict(input_patch or {}),
        },
        BadInput,
    )


def _zone_aware(given: Mapping[str, Any]) -> Mapping[str, Any]:
    moment = given.get("not_before")
    if isinstance(moment, datetime) and moment.tzinfo is None:
        raise BadInput("not_before has no time zone; give a zone-aware time.")
    return given
