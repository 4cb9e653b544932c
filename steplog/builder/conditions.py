"""Conditions of paths, as the definition language has them (docs/flow.md, "Conditions")."""

from typing import Literal, TypeAlias

from steplog_contracts.payload import JsonObject, JsonValue

Operator: TypeAlias = Literal[
    "==", "!=", ">", ">=", "<", "<=", "in", "not_in", "contains", "starts_with", "ends_with",
    "matches", "exists", "not_exists",
]  # fmt: skip


def when(source: str, operator: Operator = "==", value: JsonValue = True) -> JsonObject:
    """Return a condition on a value, such as `when("result.total", ">", 100)`.

    `source` is a dotted path: `result.x` of the step the path leaves, `step_results.<id>.x`, or a
    key of the flowing data.
    """
    condition: JsonObject = {"type": "expression", "source": source, "operator": operator}
    return condition if operator in ("exists", "not_exists") else {**condition, "value": value}


def all_of(*conditions: JsonObject) -> JsonObject:
    """Return a condition that holds where each of these does."""
    return {"type": "all", "conditions": list(conditions)}


def any_of(*conditions: JsonObject) -> JsonObject:
    """Return a condition that holds where one of these does."""
    return {"type": "any", "conditions": list(conditions)}


def not_(condition: JsonObject) -> JsonObject:
    """Return a condition that holds where this one does not."""
    return {"type": "not", "condition": condition}
