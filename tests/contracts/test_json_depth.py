"""How deep a payload nests is found as any reader of JSON would find it."""

import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic_core import from_json

from steplog_contracts.codec import decode_command, decode_event
from steplog_contracts.commands import RunPipeline
from steplog_contracts.encoder import ExecutionEncoder
from steplog_contracts.errors import UndecodableRecord
from steplog_contracts.events import StepCompleted
from steplog_contracts.json_depth import MAX_READ_DEPTH_LEVELS, nests_deeper

TIME = b"2026-01-01T00:00:00.000000+00:00"
JSON = st.recursive(
    st.none() | st.text(st.sampled_from('[]{}"\\a')),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.sampled_from('[{"\\')), inner),
)


def depth(value: Any) -> int:
    """Return the levels of arrays and objects."""
    if not isinstance(value, list | dict):
        return 0
    return 1 + max(map(depth, value.values() if isinstance(value, dict) else value), default=0)


def nested(levels: int) -> bytes:
    return b"[" * levels + b"]" * levels


@given(value=JSON)
def test_the_depth_is_that_of_the_value(value: Any) -> None:
    data, levels = json.dumps(value).encode(), depth(value)

    assert not nests_deeper(data, levels)
    assert levels == 0 or nests_deeper(data, levels - 1)


def test_what_is_not_too_deep_can_be_read() -> None:
    assert not nests_deeper(nested(MAX_READ_DEPTH_LEVELS), MAX_READ_DEPTH_LEVELS)
    from_json(nested(MAX_READ_DEPTH_LEVELS))
    from_json(b'{"a":' * MAX_READ_DEPTH_LEVELS + b"1" + b"}" * MAX_READ_DEPTH_LEVELS)


@pytest.mark.parametrize("text", [b'"' + b'\\"' * 500_000, b'["' * 300_000, b'"\\' * 300_000])
def test_no_text_makes_it_take_long(text: bytes) -> None:
    began_s = time.monotonic()

    nests_deeper(b"[" * 300 + text, 10**9)
    nests_deeper(b"[" * 300 + text, 200)

    assert time.monotonic() - began_s < 20.0


@pytest.mark.parametrize("levels", [201, 255, 900, 100_000])
def test_an_event_that_is_too_deep_is_refused_for_that(levels: int) -> None:
    encoder = ExecutionEncoder("e-1", source="/t")
    record = encoder.encode(StepCompleted(step_id="a"), seq=2, time=TIME)
    value = b'{"step_id": "a", "output": %s}' % nested(levels)

    with pytest.raises(UndecodableRecord) as refused:
        decode_event(value, record.headers)

    assert refused.value.code == "too_deep"


@pytest.mark.parametrize("field", ["input", "parameters", "metadata", "definition"])
@pytest.mark.parametrize("levels", [101, 199, 900])
def test_a_command_with_a_value_that_is_too_deep_is_refused(field: str, levels: int) -> None:
    headers = [
        ("ce_id", b"c-1"),
        ("ce_source", b"/t"),
        ("ce_type", RunPipeline.command_type.encode()),
        ("ce_time", TIME),
    ]
    deep = b'{"a":' * levels + b"1" + b"}" * levels
    value = b'{"execution_id": "e-1", "%s": %s}' % (field.encode(), deep)

    with pytest.raises(UndecodableRecord, match="nests deeper than"):
        decode_command(value, headers)
