"""A published schema only grows: what a reader relies on stays."""

import copy
from typing import Any

import pytest

from steplog_contracts.publishing.compatibility import breaking_changes
from steplog_contracts.publishing.generate import payload_schemas

OLD = payload_schemas()["steplog.step.failed.v1"]


def changed() -> dict[str, Any]:
    """Return a copy to break."""
    return copy.deepcopy(OLD)


def test_a_new_optional_field_breaks_nothing() -> None:
    new = changed()
    new["properties"]["colour"] = {"type": "string", "default": "green"}

    assert breaking_changes(OLD, new) == []


def test_a_field_that_is_gone_breaks_readers() -> None:
    new = changed()
    del new["properties"]["output"]

    assert breaking_changes(OLD, new) == ["output is gone"]


def test_a_field_that_changes_its_type_breaks_readers() -> None:
    new = changed()
    new["properties"]["step_id"] = {"type": "integer"}

    assert breaking_changes(OLD, new) == ["step_id changed its type"]


def test_a_field_that_becomes_required_breaks_stored_records() -> None:
    new = changed()
    new["required"].append("attempt")

    assert breaking_changes(OLD, new) == ["attempt became required"]


def test_a_change_inside_a_shared_type_is_found() -> None:
    new = changed()
    del new["$defs"]["ErrorInfo"]["properties"]["message"]
    new["$defs"]["ErrorInfo"]["required"].remove("message")

    assert breaking_changes(OLD, new) == ["error.message is gone"]


@pytest.mark.parametrize("name", payload_schemas())
def test_no_schema_breaks_itself(name: str) -> None:
    schema = payload_schemas()[name]

    assert breaking_changes(schema, schema) == []
