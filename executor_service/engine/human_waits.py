"""Steps that wait for people: the question, the answer, and the end of the wait."""

import uuid
from datetime import datetime, timedelta
from typing import Final

from executor_service.engine.path_choice import answers_expiry
from executor_service.engine.state import State
from executor_service.engine.visit import Visit
from executor_service.engine.visit_events import completed, of_visit, routing_failed
from executor_service.errors import ConditionFailed, WaitExpired
from steplog_contracts import events as ev
from steplog_contracts.payload import JsonObject, JsonValue

HUMAN_INPUT_REQUIRED: Final = "human_input_required"
_INTERACTIONS: Final = uuid.uuid5(uuid.NAMESPACE_URL, "https://steplog.dev/interactions")


def asks_a_person(output: JsonValue) -> bool:
    """Say whether a result is a question to a person."""
    return type(output) is dict and output.get("status") == HUMAN_INPUT_REQUIRED


def waiting(state: State, visit: Visit, asked: JsonObject, now: datetime) -> ev.StepWaiting:
    """Return the record of a step that asked a person."""
    prompt, timeout = asked.get("prompt"), asked.get("timeout_seconds")
    return ev.StepWaiting(
        **of_visit(visit),
        interaction_id=interaction_id_of(state.execution_id, visit.step.id, visit.iteration),
        prompt=None if prompt is None else str(prompt),
        ui_schema=asked.get("ui_schema"),
        channels=asked.get("channels"),
        assigned_users=asked.get("assigned_users"),
        output=asked,
        expires_at=None if timeout is None else now + timedelta(seconds=float(timeout)),
    )


def interaction_id_of(execution_id: str, step_id: str, iteration: int) -> str:
    """Return the id of the question that a visit asks; the same one whenever it is worked out."""
    return str(uuid.uuid5(_INTERACTIONS, f"{execution_id}:{step_id}:{iteration}"))


def answer(visit: Visit, human_input: JsonValue, responded_by: str | None) -> list[ev.Event]:
    """Return the record that a person answered; the step's end is `answered`."""
    return [
        ev.StepResumed(
            **of_visit(visit),
            interaction_id=visit.interaction_id,
            human_input=human_input,
            responded_by=responded_by,
        )
    ]


def merged_answer(visit: Visit, human_input: JsonValue) -> JsonObject:
    """Return a waiting step's output with the answer in it, and without its mark of asking."""
    asked = {key: value for key, value in visit.asked.items() if key != "status"}
    return asked | (human_input if type(human_input) is dict else {"human_input": human_input})


def answered(state: State, step_id: str) -> list[ev.Event] | None:
    """Return the end of a step whose wait is over.

    None if it expired and no path asks for that: then the step failed, with `expiry` as its error.
    """
    visit = state.visits[step_id]
    if not visit.timed_out:
        return completed(state, visit, merged_answer(visit, visit.human_input))
    output = merged_answer(visit, {"timed_out": True})
    try:
        if not answers_expiry(state, visit, output):
            return None
    except ConditionFailed as problem:
        return [routing_failed(visit, problem, 0.0)]
    return completed(state, visit, output)


def expiry(visit: Visit) -> WaitExpired:
    """Return the failure of a wait that nobody ended in time."""
    return WaitExpired(f"Nobody answered step '{visit.step.id}' before its wait expired.")
