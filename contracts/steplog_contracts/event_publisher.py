"""The writing side of tracking: events made of the calls that users of the older library know.

Times and seq are given where the events are appended: to a log, or straight to rows.
"""

import uuid
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from steplog_contracts import events as ev
from steplog_contracts.payload import JsonObject, JsonValue

# Takes an execution's events, in order, and returns once they are acknowledged.
Append = Callable[[str, Sequence[ev.Event], str | None], Awaitable[None]]
# As the rows have it; an execution's id may hold colons.
_STEP_IDS_SEPARATOR = ":"


class EventPublisher:
    """Makes events and appends them; register it as `execution_tracker`.

    Statuses are those of `steplog_contracts.records`. `step_execution_id` is
    `execution_id:step_id:iteration`, as in the rows, so a step's id may hold no colon here.
    """

    def __init__(self, append: Append) -> None:
        self._append = append

    async def record(
        self, execution_id: str, events: Sequence[ev.Event], *, cause: str | None = None
    ) -> None:
        """Append an execution's events as they are."""
        await self._append(execution_id, events, cause)

    def recorder_for(self, execution_id: str) -> "ExecutionRecorder":
        """Return the recorder of one execution."""
        return ExecutionRecorder(self, execution_id)

    async def start_execution(
        self,
        pipeline_id: str,
        pipeline_name: str,
        input_data: JsonValue = None,
        total_steps: int = 0,
        metadata: JsonObject | None = None,
    ) -> str:
        """Publish that an execution began, and return the id given to it."""
        execution_id = str(uuid.uuid4())
        started = ev.ExecutionStarted(
            pipeline_id=pipeline_id,
            pipeline_name=pipeline_name,
            input=input_data,
            total_steps=total_steps,
            metadata=metadata or {},
        )
        await self._append(execution_id, [started], None)
        return execution_id

    async def start_step_execution(
        self,
        execution_id: str,
        step_id: str,
        step_name: str = "",
        step_type: str = "task",
        input_data: JsonValue = None,
        metadata: JsonObject | None = None,
    ) -> str:
        """Publish that a step began, and return the id to complete it by.

        Raises:
            ValueError: the step's id holds a colon.
        """
        if _STEP_IDS_SEPARATOR in step_id:
            raise ValueError(f"The step id {step_id!r} holds a colon; give the step another id.")
        iteration = int((metadata or {}).get("iteration", 1))
        started = ev.StepStarted(
            step_id=step_id,
            iteration=iteration,
            step_name=step_name or step_id,
            step_type=step_type,
            input=input_data,
        )
        await self._append(execution_id, [started], None)
        return _STEP_IDS_SEPARATOR.join([execution_id, step_id, str(iteration)])

    async def complete_step_execution(
        self,
        step_execution_id: str,
        status: str,
        output_data: JsonValue = None,
        error_message: str | None = None,
        retry_count: int = 0,
    ) -> None:
        """Publish how a step ended."""
        execution_id, step_id, iteration = _parts(step_execution_id)
        visit: dict[str, Any] = {
            "step_id": step_id, "iteration": iteration, "attempt": retry_count + 1
        }  # fmt: skip
        await self._append(
            execution_id, [_step_end(visit, str(status), output_data, error_message)], None
        )

    async def update_execution_status(
        self,
        execution_id: str,
        status: str,
        output_data: JsonValue = None,
        error_message: str | None = None,
    ) -> None:
        """Publish how an execution ended; statuses that end nothing are no event of their own."""
        end = _execution_end(str(status), output_data, error_message)
        if end is not None:
            await self._append(execution_id, [end], None)


def _parts(step_execution_id: str) -> tuple[str, str, int]:
    execution_id, *rest = step_execution_id.rsplit(_STEP_IDS_SEPARATOR, 2)
    if len(rest) != 2 or not rest[1].isdigit():
        raise ValueError(f"{step_execution_id!r} was not returned by start_step_execution.")
    return execution_id, rest[0], int(rest[1])


def _step_end(
    visit: dict[str, Any], status: str, output: JsonValue, message: str | None
) -> ev.Event:
    match _status_name(status):
        case "failed":
            error = ev.ErrorInfo(
                type="Error", message=message or "No message was given.", step_id=visit["step_id"]
            )
            return ev.StepFailed(**visit, error=error)
        case "cancelled":
            return ev.StepCancelled(**visit, reason=message or "")
        case "skipped":
            return ev.StepSkipped(**visit, reason=message or "")
        case _:
            return ev.StepCompleted(**visit, output=output)


def _execution_end(status: str, output: JsonValue, message: str | None) -> ev.Event | None:
    match _status_name(status):
        case "completed":
            return ev.ExecutionCompleted(output=output)
        case "failed":
            error = ev.ErrorInfo(type="Error", message=message or "No message was given.")
            return ev.ExecutionFailed(error=error)
        case "cancelled":
            return ev.ExecutionCancelled(reason=message or "")
        case _:
            return None


def _status_name(status: str) -> str:
    # An enum member that is no str shows as `StepStatus.FAILED`.
    return status.rpartition(".")[2].lower()


class ExecutionRecorder:
    """Publishes the events of one execution."""

    def __init__(self, publisher: EventPublisher, execution_id: str) -> None:
        self._publisher = publisher
        self._execution_id = execution_id

    async def record(self, events: Sequence[ev.Event], *, cause: str | None = None) -> None:
        """Append events as they are."""
        await self._publisher.record(self._execution_id, events, cause=cause)
