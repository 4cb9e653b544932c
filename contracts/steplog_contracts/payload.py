"""JSON as it travels in payloads, and the bounds every writer keeps."""

import hashlib
import math
from typing import Any, TypeAlias

from pydantic import BaseModel
from pydantic_core import to_json

from steplog_contracts.errors import UnwritablePayload

# Payloads belong to users: any JSON, so their type says no more than that.
JsonValue: TypeAlias = Any
JsonObject: TypeAlias = dict[str, Any]

# Nesting a reader in any language can be trusted with; deeper values fail the step that made them.
MAX_JSON_DEPTH_LEVELS = 100
# A payload above this goes to the object store and the event carries a reference to it.
MAX_INLINE_PAYLOAD_BYTES = 64 * 1024


def json_problem(value: JsonValue) -> str | None:
    """Return why a value can't travel as JSON that every reader takes, or None if it can.

    Python's own reader takes NaN, infinities and any depth; others take none of these.
    """
    level, depth = [value], 0
    while level:
        if depth > MAX_JSON_DEPTH_LEVELS:
            return f"it nests deeper than {MAX_JSON_DEPTH_LEVELS} levels"
        inner: list[JsonValue] = []
        for part in level:
            if isinstance(part, float) and not math.isfinite(part):
                return "it holds NaN or a number beyond all bounds, which JSON has not"
            if isinstance(part, dict):
                inner += part.values()
            elif isinstance(part, list):
                inner += part
        level, depth = inner, depth + 1
    return None


def canonical_json(value: JsonValue) -> bytes:
    """Return compact UTF-8 JSON of a plain value (dict, list, str, int, float, bool, None).

    NaN and infinities have no JSON form and are refused by whoever produced the value; here they
    would become the constants of JavaScript, which `json` readers flag.

    Raises:
        UnwritablePayload: the value, or something inside it, is not JSON.
    """
    try:
        return to_json(value, inf_nan_mode="constants")
    except ValueError as error:
        raise UnwritablePayload(f"The payload has no JSON form: {error}.") from error


def sha256_of(value: JsonValue) -> str:
    """Return the hex digest of the value's compact JSON with keys in the order given."""
    return hashlib.sha256(canonical_json(value)).hexdigest()


def encode_payload(model: BaseModel) -> bytes:
    """Return the compact JSON of an event's or command's payload.

    Raises:
        UnwritablePayload: a user's value inside it has no JSON form.
    """
    try:
        return model.__pydantic_serializer__.to_json(model)
    except ValueError as error:
        raise UnwritablePayload(f"A payload has no JSON form: {error}.") from error
