"""A stored value is never taken for the value, nor for nothing."""

import json
from typing import Any

import pytest
from pydantic import TypeAdapter

from steplog_contracts.data_ref import DataRef
from steplog_contracts.errors import ValueStoredApart
from steplog_contracts.stored_value import StoredValue, marked, placed

REFERENCE = DataRef(uri="s3://bucket/x.json", sha256="ab" * 32, size_bytes=250_000)
STORED = StoredValue.of(REFERENCE)


@pytest.mark.parametrize(
    "used",
    [bool, list, len, lambda v: v == 1, lambda v: v != [], lambda v: 1 in v, lambda v: v[0],
     lambda v: v["a"], lambda v: v < 1, lambda v: v >= 1, sorted, dict],
)  # fmt: skip
def test_it_refuses_to_be_used_as_a_value(used: Any) -> None:
    with pytest.raises(ValueStoredApart, match="250,000 bytes"):
        used(STORED)


def test_it_says_what_it_is() -> None:
    assert "stored apart, 250,000 bytes" in repr(STORED)
    assert STORED.sha256 == "ab" * 32
    assert StoredValue.of(REFERENCE) == STORED
    assert hash(StoredValue.of(REFERENCE)) == hash(STORED)


def test_in_json_it_is_a_mark() -> None:
    text = TypeAdapter(Any).dump_json({"rows": STORED})

    assert json.loads(text) == {"rows": {"$stored": REFERENCE.model_dump()}}


def test_without_a_client_it_says_how_to_get_the_value() -> None:
    with pytest.raises(ValueStoredApart, match="steplog payload ID abab"):
        STORED.fetch()


@pytest.mark.parametrize(
    ("record", "place", "after"),
    [
        ({"output_data": None}, "/output_data", {"output_data": "v"}),
        ({"output_data": {"rows": None, "n": 1}}, "/output_data/rows",
         {"output_data": {"rows": "v", "n": 1}}),
        ({"metadata": {}}, "/metadata", {"metadata": "v"}),
        ({"output_data": {"$stored": {}}}, "/output_data", {"output_data": "v"}),
        ({"input_data": {"password": "***"}}, "/input_data/password",
         {"input_data": {"password": "***"}}),
        ({"output_data": "***"}, "/output_data/rows", {"output_data": "***"}),
        ({"status": "running"}, "/output_data", {"status": "running"}),
        ({"output_data": None}, "", {"output_data": None}),
    ],
)  # fmt: skip
def test_it_stands_where_nothing_stands_and_nowhere_else(
    record: Any, place: str, after: Any
) -> None:
    before = json.dumps(record)

    assert placed(record, {place: REFERENCE}, lambda _: "v") == after
    assert json.dumps(record) == before


@pytest.mark.parametrize("told", [None, 7, {"/output": None}, {"/output": {"sha256": "no"}}])
def test_what_is_no_reference_marks_nothing(told: Any) -> None:
    assert marked({"output": None}, told) == {"output": None}
