"""The writing side of tracking: a thin publisher of events that holds no rows and asks no database.

Three ways to be told of an execution: `record`, which takes events as they are; the four methods
that users of the older library call, which make events of their arguments; and `TrackerRecorder`,
which the other way round calls those four methods on any object, for a run in library use.
"""

import inspect
import logging
import uuid
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from executor_service.ports import Recorder
from steplog_contracts import events as ev
from steplog_contracts.payload import JsonObject, JsonValue

_log = logging.getLogger(__name__)

# Takes an execution's events, in order, and returns once they are acknowledged.
Append = Callable[[str, Sequence[ev.Event], str | None], Awaitable[None]]
# As the rows have it; an execution's id may hold colons.
_STEP_IDS_SEPARATOR = ":"


class EventPublisher:
    """Makes events and appends them; register it as `execution_tracker`.

    Statuses are those of `steplog_contracts.records`; times, durations and seq are given by whoever
    appends. `step_execution_id` is `execution_id:step_id:iteration`, as in
    the rows, so a step's id may hold no colon here.
    """

    def __init__(self, append: Append) -> None:
        self._append = append

    async def record(
        self, execution_id: str, events: Sequence[ev.Event], *, cause: str | None = None
    ) -> None:
        """Append an execution's events as they are."""
        await self._append(execution_id, events, cause)

    def recorder_for(self, execution_id: str) -> Recorder:
        """Return the recorder of one execution."""
        return _BoundRecorder(self, execution_id)

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


class _BoundRecorder:
    def __init__(self, publisher: EventPublisher, execution_id: str) -> None:
        self._publisher = publisher
        self._execution_id = execution_id

    async def record(self, events: Sequence[ev.Event], *, cause: str | None = None) -> None:
        await self._publisher.record(self._execution_id, events, cause=cause)


class TrackerRecorder:
    """Tells any object with the four writing methods what happens; in library use only.

    The object may be synchronous or asynchronous and may lack methods. Whatever it raises is logged
    and counted in `failures`, and never ends the run.
    """

    def __init__(self, tracker: Any, execution_id: str) -> None:
        self._tracker = tracker
        self._execution_id = execution_id
        self._steps: dict[tuple[str, int], Any] = {}
        self.failures = 0

    async def record(
        self,
        events: Sequence[ev.Event],
        *,
        cause: str | None = None,  # noqa: ARG002 - the port's; these trackers can't be told it
    ) -> None:
        """Call the tracker for each event it can be told of."""
        for event in events:
            try:
                await self._tell(event)
            except Exception:
                self.failures += 1
                _log.exception("The execution tracker failed; the run goes on untracked.")

    async def _tell(self, event: ev.Event) -> None:
        match event:
            case ev.ExecutionStarted():
                given = await self._call(
                    "start_execution",
                    pipeline_id=event.pipeline_id,
                    pipeline_name=event.pipeline_name,
                    input_data=event.input,
                    total_steps=event.total_steps,
                    metadata={**event.metadata, "execution_id": self._execution_id},
                )
                self._execution_id = given if isinstance(given, str) else self._execution_id
            case ev.StepStarted(attempt=1):
                self._steps[event.step_id, event.iteration] = await self._call(
                    "start_step_execution",
                    execution_id=self._execution_id,
                    step_id=event.step_id,
                    step_name=event.step_name,
                    step_type=event.step_type,
                    input_data=event.input,
                    metadata={"iteration": event.iteration},
                )
            case ev.StepCompleted():
                await self._step_ended(event, "completed", event.output, None)
            case ev.StepFailed():
                await self._step_ended(event, "failed", event.output, event.error.message)
            case ev.StepCancelled():
                await self._step_ended(event, "cancelled", None, event.reason)
            case ev.StepWaiting():
                await self._status("waiting_for_human")
            case ev.StepResumed():
                await self._status("running")
            case ev.ExecutionCompleted():
                await self._status("completed", output_data=event.output)
            case ev.ExecutionFailed():
                await self._status("failed", error_message=event.error.message)
            case ev.ExecutionCancelled():
                await self._status("cancelled", error_message=event.reason)

    async def _step_ended(
        self, event: ev.StepEvent, status: str, output: JsonValue, message: str | None
    ) -> None:
        await self._call(
            "complete_step_execution",
            step_execution_id=self._steps.pop((event.step_id, event.iteration), None),
            status=status,
            output_data=output,
            error_message=message,
            retry_count=event.attempt - 1,
        )

    async def _status(self, status: str, **result: JsonValue) -> None:
        await self._call(
            "update_execution_status", execution_id=self._execution_id, status=status, **result
        )

    async def _call(self, method_name: str, **arguments: Any) -> Any:
        method = getattr(self._tracker, method_name, None)
        if method is None:
            return None
        answer = method(**arguments)
        return await answer if inspect.isawaitable(answer) else answer


class ForgivingRecorder:
    """Records through another recorder; what that raises is logged and counted, in library use."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self.failures = 0

    async def record(self, events: Sequence[ev.Event], *, cause: str | None = None) -> None:
        """Record the events if that can be done."""
        try:
            await self._recorder.record(events, cause=cause)
        except Exception:
            self.failures += 1
            _log.exception("The execution tracker failed; the run goes on untracked.")


def recorder_of(tracker: Any, execution_id: str) -> ForgivingRecorder | TrackerRecorder | None:
    """Return how a run in library use tells its tracker, or None where there is none.

    A tracker with `recorder_for(execution_id)` is given events; one with `record(events, cause=)`
    is such a recorder itself; any other is called by the four writing methods.
    """
    if tracker is None:
        return None
    if hasattr(tracker, "recorder_for"):
        return ForgivingRecorder(tracker.recorder_for(execution_id))
    if hasattr(tracker, "record"):
        return ForgivingRecorder(tracker)
    return TrackerRecorder(tracker, execution_id)
