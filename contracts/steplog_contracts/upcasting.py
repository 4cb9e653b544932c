"""Old payloads to today's: pure functions, one step from a version to the next.

A stored log is never rewritten. A breaking change adds a class with a new type and one entry here,
from the old type to the new; a reader runs the chain until no entry is left. Chains can't loop:
`check_chain` runs at import.
"""

from collections.abc import Callable, Mapping

from pydantic_core import from_json, to_json

from steplog_contracts.errors import ContractError, UndecodableRecord
from steplog_contracts.payload import JsonObject
from steplog_contracts.refusal_codes import RefusalCode

Upcaster = Callable[[JsonObject], JsonObject]
Chain = Mapping[str, tuple[str, Upcaster]]


def _started_v1(old: JsonObject) -> JsonObject:
    """Before v1 the pipeline was one object, and inputs and parameters had other names."""
    pipeline = old["pipeline"]
    return {
        "pipeline_id": pipeline["id"],
        "pipeline_name": pipeline.get("name", pipeline["id"]),
        "pipeline_version": pipeline.get("version"),
        "definition": old["definition"],
        "input": old.get("inputs"),
        "parameters": old.get("params", {}),
        "metadata": old.get("labels", {}),
        "total_steps": len(old["definition"]["steps"]),
        "command_id": old.get("command_id"),
    }


def _completed_v1(old: JsonObject) -> JsonObject:
    """Before v1 a result was called so, and durations were seconds."""
    return {
        **_visit_v1(old),
        "output": old["result"],
        "taken": old.get("next", []),
    }


def _failed_v1(old: JsonObject) -> JsonObject:
    """Before v1 an error was its class and its text, and no failed step was gone on from."""
    error = old["error"]
    return {
        **_visit_v1(old),
        "error": {"type": error["class"], "message": error["text"], "step_id": old["step"]},
    }


def _visit_v1(old: JsonObject) -> JsonObject:
    return {
        "step_id": old["step"],
        "iteration": old.get("visit", 1),
        "attempt": old.get("try", 1),
        "duration_ms": round(float(old["elapsed_s"]) * 1000, 3),
    }


# From type -> (to type, function); v0 is what logs from before the first release hold.
CHAIN: Chain = {
    "steplog.execution.started.v0": ("steplog.execution.started.v1", _started_v1),
    "steplog.step.completed.v0": ("steplog.step.completed.v1", _completed_v1),
    "steplog.step.failed.v0": ("steplog.step.failed.v1", _failed_v1),
}


def upcast(record_type: str, data: bytes, chain: Chain = CHAIN) -> tuple[str, bytes]:
    """Return the newest type reachable and the payload in its shape; the bytes as given if current.

    Raises:
        UndecodableRecord: an old payload is not what its version says, so it can't be brought
            forward.
    """
    if record_type not in chain:
        return record_type, data
    record_type, payload = bring_forward(record_type, _payload(data), chain)
    try:
        return record_type, to_json(payload)
    except ValueError as error:
        raise UndecodableRecord(
            RefusalCode.BAD_PAYLOAD, f"The payload has no JSON form: {error}."
        ) from error


def bring_forward(
    record_type: str, payload: JsonObject, chain: Chain = CHAIN
) -> tuple[str, JsonObject]:
    """Return the newest type reachable and the payload in its shape; raises as `upcast` does."""
    while record_type in chain:
        old_type, (record_type, step) = record_type, chain[record_type]
        try:
            payload = step(payload)
        except (KeyError, TypeError, AttributeError, ValueError, OverflowError) as error:
            raise UndecodableRecord(
                RefusalCode.BAD_PAYLOAD, f"The payload is not that of {old_type}: {error!r}."
            ) from error
    return record_type, payload


def newest_type(record_type: str, chain: Chain = CHAIN) -> str:
    """Return the type that a type's payloads are brought forward to: itself if it is current."""
    while record_type in chain:
        record_type = chain[record_type][0]
    return record_type


def check_chain(chain: Chain) -> None:
    """Raise `ContractError` if following the chain from some type never ends."""
    for start in chain:
        seen, current = {start}, start
        while current in chain:
            current = chain[current][0]
            if current in seen:
                raise ContractError(f"The upcasting chain from {start} returns to {current}.")
            seen.add(current)


def _payload(data: bytes) -> JsonObject:
    try:
        payload = from_json(data)
    except ValueError as error:
        raise UndecodableRecord(
            RefusalCode.BAD_JSON, f"The payload is not JSON: {error}."
        ) from error
    if not isinstance(payload, dict):
        raise UndecodableRecord(RefusalCode.BAD_PAYLOAD, "The payload is not a JSON object.")
    return payload


check_chain(CHAIN)
