"""What `Pipeline.run` returns, gathered from the run's events as they are decided."""

from typing import Any

from executor_service.engine.snapshot import snapshot
from executor_service.engine.state import State
from executor_service.engine.values import copy_json
from executor_service.runtime.outcome import Outcome
from steplog_contracts import events as ev
from steplog_contracts.payload import JsonObject, JsonValue
from steplog_contracts.records import ExecutionStatus

_ENDS: dict[type[ev.Event], str] = {
    ev.StepCompleted: "completed",
    ev.StepFailed: "failed",
    ev.StepCancelled: "cancelled",
}


class RunResult:
    """The steps of a run, in the order in which they ended."""

    def __init__(self, input_data: JsonValue, steps: list[JsonObject] | None = None) -> None:
        self._input = {} if input_data is None else input_data
        self._steps: list[tuple[str, JsonValue, str]] = [
            (step["step_name"], step["result"], step["status"])
            for step in steps or ()
            if step["status"] != ExecutionStatus.WAITING_FOR_HUMAN
        ]
        self.cancel_reason = ""

    def take(self, event: ev.Event) -> None:
        """Take note of an event that ends a step; a map's results are those of its items."""
        status = _ENDS.get(type(event))
        if status is not None:
            step_end: Any = event
            if step_end.item_index is not None:
                return
            self._steps.append((step_end.step_id, getattr(event, "output", None), status))
        elif type(event) is ev.ExecutionCancelled:
            self.cancel_reason = event.reason

    def returned(self, outcome: Outcome, execution_id: str) -> JsonObject:
        """Return the result as the caller gets it; everything but the input is a copy."""
        result: JsonObject = {
            "input": self._input,
            "output": outcome.output,
            "steps": [_entry(index, *step) for index, step in enumerate(self._steps)],
        }
        if outcome.status is ExecutionStatus.WAITING_FOR_HUMAN:
            self._add_waits(result, outcome.state, execution_id)
            result["state"] = copy_json(snapshot(outcome.state))
        elif outcome.status is not ExecutionStatus.COMPLETED:
            result["status"] = str(outcome.status)
        return result

    def _add_waits(self, result: JsonObject, state: State, execution_id: str) -> None:
        waiting = [visit for visit in state.visits.values() if visit.status == "waiting"]
        first = waiting[0]
        result["output"] = copy_json(first.asked)
        result["status"] = str(ExecutionStatus.WAITING_FOR_HUMAN)
        result["execution_id"] = execution_id
        result["waiting_step"] = first.step.id
        result["interaction_id"] = first.interaction_id
        result["waiting_steps"] = [
            {
                "step_id": visit.step.id,
                "interaction_id": visit.interaction_id,
                "asked": copy_json(visit.asked),
                "expires_at": None if visit.expires_at is None else visit.expires_at.isoformat(),
            }
            for visit in waiting
        ]
        for visit in waiting:
            status = str(ExecutionStatus.WAITING_FOR_HUMAN)
            result["steps"].append(_entry(len(result["steps"]), visit.step.id, visit.asked, status))


def _entry(index: int, step_id: str, result: JsonValue, status: str) -> JsonObject:
    return {
        "step_name": step_id, "step_index": index, "result": copy_json(result), "status": status
    }  # fmt: skip
