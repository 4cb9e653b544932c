"""How a run in library use tells its `execution_tracker`, whatever object that is.

`TrackerRecorder` calls the four methods of the older library's trackers; `ForgivingRecorder` hands
events over. Neither ever ends the run.
"""

import inspect
import logging
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from executor_service.ports.runtime import Recorder
from steplog_contracts import events as ev
from steplog_contracts.payload import JsonValue

_log = logging.getLogger(__name__)


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
        times: Sequence[datetime] | None = None,  # noqa: ARG002 - nor this
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
        self._takes_times = _takes_times(recorder)
        self.failures = 0

    async def record(
        self,
        events: Sequence[ev.Event],
        *,
        cause: str | None = None,
        times: Sequence[datetime] | None = None,
    ) -> None:
        """Record the events if that can be done."""
        try:
            if times is not None and self._takes_times:
                await self._recorder.record(events, cause=cause, times=times)
            else:
                await self._recorder.record(events, cause=cause)
        except Exception:
            self.failures += 1
            _log.exception("The execution tracker failed; the run goes on untracked.")


def _takes_times(recorder: Recorder) -> bool:
    """Say whether a recorder, which may be anybody's, takes the times of events."""
    try:
        return "times" in inspect.signature(recorder.record).parameters
    except (TypeError, ValueError):
        return False


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
