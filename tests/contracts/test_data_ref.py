"""References stand beside a payload, and putting values back is the reverse of taking them out."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from steplog_contracts import events
from steplog_contracts.codec import decode_event
from steplog_contracts.commands import RunPipeline
from steplog_contracts.data_ref import (
    MAX_REFERENCES,
    DataRef,
    distinct,
    filled,
    hollowed,
    keys_of,
    object_name,
    pointer,
)
from steplog_contracts.encoder import ExecutionEncoder
from steplog_contracts.errors import AlteredPayload, ContractError
from steplog_contracts.parked_execution import ParkedFact
from steplog_contracts.payload import encode_payload

REFERENCE = DataRef(uri="s3://b/x", sha256="ab" * 32, size_bytes=7)
TIME = b"2026-03-01T12:00:00.000000+00:00"
values = st.recursive(
    st.none() | st.integers() | st.text(max_size=5),
    lambda inner: st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=8,
)
payloads = st.dictionaries(st.sampled_from(["input", "output"]), values, min_size=1)


def places_of(payload: dict[str, Any]) -> dict[str, Any]:
    """Return the value at every place a reference may stand, members before whole fields."""
    members = {
        pointer(field, key): member
        for field, value in payload.items()
        if type(value) is dict
        for key, member in value.items()
    }
    whole = {pointer(f): v for f, v in payload.items() if type(v) is not dict}
    return {**members, **whole}


@given(payloads)
def test_filling_is_the_reverse_of_hollowing(payload: dict[str, Any]) -> None:
    places = places_of(payload)
    before = repr(payload)

    hollow = hollowed(payload, places)

    assert all(value is None for value in places_of(hollow).values())
    assert filled(hollow, places) == payload
    assert repr(payload) == before


@given(payloads)
def test_members_keep_their_order(payload: dict[str, Any]) -> None:
    places = places_of(payload)

    back = filled(hollowed(payload, places), places)

    assert repr(back) == repr(payload)


@given(st.lists(st.text(max_size=6), min_size=1, max_size=3))
def test_a_pointer_is_read_as_it_was_written(keys: list[str]) -> None:
    assert keys_of(pointer(*keys)) == tuple(keys)


@pytest.mark.parametrize("place", ["/other", "/input/none", "/input/a/b", "input", ""])
def test_a_place_that_is_not_there_is_refused(place: str) -> None:
    with pytest.raises(ContractError, match="points at nothing"):
        filled({"input": {"a": {"b": 1}}}, {place: 1})


def test_parameters_that_are_stored_leave_an_object() -> None:
    assert hollowed({"parameters": {"a": 1}}, ["/parameters"]) == {"parameters": {}}


def test_an_event_carries_references_over_the_wire_and_through_a_snapshot() -> None:
    event = events.StepCompleted(step_id="a", references={"/output": REFERENCE})
    record = ExecutionEncoder("e", source="/t").encode(event, seq=1, time=TIME)
    decoded = decode_event(record.value, record.headers)

    assert decoded.event == event
    assert ParkedFact.of(event, decoded.envelope.time).event == event


def test_without_references_nothing_of_them_is_written() -> None:
    assert b"references" not in encode_payload(events.StepCompleted(step_id="a"))
    assert b"references" not in encode_payload(RunPipeline(execution_id="e"))


@pytest.mark.parametrize(
    "wrong", [{"sha256": "../../etc/passwd"}, {"sha256": "AB" * 32}, {"size_bytes": 0}]
)
def test_a_reference_that_could_name_anything_else_is_none(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        DataRef.model_validate(REFERENCE.model_dump() | wrong)


def test_references_are_bounded() -> None:
    many = {f"/output/{n}": REFERENCE for n in range(MAX_REFERENCES + 1)}
    with pytest.raises(ValidationError):
        events.StepCompleted(step_id="a", references=many)


def test_bytes_that_are_others_are_found_out() -> None:
    with pytest.raises(AlteredPayload, match="7 bytes"):
        REFERENCE.check(b"1234567")


def test_an_object_is_asked_for_once() -> None:
    other = DataRef(uri="x", sha256="cd" * 32, size_bytes=1)
    found = distinct([{"/a": REFERENCE, "/b": REFERENCE}, None, {"/c": other, "/d": REFERENCE}])

    assert list(found) == [REFERENCE, other]
    assert object_name(other.sha256) == f"cd/{other.sha256}.json"
