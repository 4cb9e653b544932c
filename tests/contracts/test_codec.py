"""Records survive the way to the wire and back, in both CloudEvents modes."""

import json
from datetime import UTC, datetime

import pytest
from jsonschema import Draft202012Validator

from steplog_contracts.codec import decode_command, decode_event, encode_command, encode_event
from steplog_contracts.commands import COMMAND_CLASSES, Command, RunPipeline
from steplog_contracts.envelope import EventEnvelope, RecordedEvent, SentCommand
from steplog_contracts.errors import UndecodableRecord, UnknownRecordType
from steplog_contracts.events import EVENT_CLASSES, Event
from steplog_contracts.publishing.generate import payload_schemas
from tests.contracts.examples import AT, COMMANDS, EVENTS

ENVELOPE = EventEnvelope(
    event_id="5d1c5c2c-0000-5000-8000-000000000001",
    source="/steplog/executor/host-1",
    time=AT,
    execution_id="e-1",
    seq=7,
    correlation_id="c-1",
    causation_id="c-1",
    command_offset=11,
    writer_epoch=42,
    traceparent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
)
SCHEMAS = payload_schemas()


def headers_without(name: str) -> list[tuple[str, bytes]]:
    """Return the headers of an event with one left out."""
    record = encode_event(RecordedEvent(ENVELOPE, EVENTS[0]))
    return [header for header in record.headers if header[0] != name]


def test_examples_cover_every_type() -> None:
    assert tuple(type(event) for event in EVENTS) == EVENT_CLASSES
    assert tuple(type(command) for command in COMMANDS) == COMMAND_CLASSES


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: type(event).__name__)
def test_an_event_comes_back_as_it_was_recorded(event: Event) -> None:
    recorded = RecordedEvent(ENVELOPE, event)

    record = encode_event(recorded)

    assert decode_event(record.value, record.headers) == recorded
    assert record.key == b"e-1"


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: type(command).__name__)
def test_a_command_comes_back_as_it_was_sent(command: Command) -> None:
    sent = SentCommand("c-1", "/cli", AT, command)

    record = encode_command(sent)

    assert decode_command(record.value, record.headers) == sent


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: type(event).__name__)
def test_what_is_emitted_validates_against_the_published_schema(event: Event) -> None:
    """The judge is another library than the one that wrote both."""
    record = encode_event(RecordedEvent(ENVELOPE, event))
    assert record.value is not None

    Draft202012Validator(SCHEMAS[event.event_type]).validate(json.loads(record.value))


def test_structured_mode_reads_the_same_as_binary_mode() -> None:
    record = encode_event(RecordedEvent(ENVELOPE, EVENTS[4]))
    assert record.value is not None
    document = {
        name.removeprefix("ce_"): value.decode()
        for name, value in record.headers
        if name != "content-type"
    }
    document["data"] = json.loads(record.value)
    headers = [("content-type", b"application/cloudevents+json; charset=utf-8")]

    decoded = decode_event(json.dumps(document).encode(), headers)

    assert decoded == RecordedEvent(ENVELOPE, EVENTS[4])


def test_unknown_fields_are_ignored_so_newer_writers_break_nobody() -> None:
    record = encode_event(RecordedEvent(ENVELOPE, EVENTS[4]))
    assert record.value is not None
    newer = json.loads(record.value) | {"colour": "green"}

    assert decode_event(json.dumps(newer).encode(), record.headers).event == EVENTS[4]


def test_an_unknown_type_is_told_apart_from_garbage() -> None:
    headers = [*headers_without("ce_type"), ("ce_type", b"steplog.step.dreamt.v1")]

    with pytest.raises(UnknownRecordType, match="dreamt"):
        decode_event(b"{}", headers)


@pytest.mark.parametrize(
    ("value", "headers", "code"),
    [
        (None, headers_without(""), "bad_payload"),
        (b"{not json", headers_without(""), "bad_json"),
        (b'{"pipeline_id": NaN}', headers_without(""), "bad_json"),
        (b"[]", headers_without(""), "bad_payload"),
        (b"{}", headers_without(""), "bad_payload"),
        (b"{}", headers_without("ce_type"), "missing_header"),
        (b"{}", [*headers_without(""), ("ce_id", b"\xff\xfe")], "bad_payload"),
    ],
)
def test_what_nobody_can_read_is_refused_with_a_code(
    value: bytes | None, headers: list[tuple[str, bytes]], code: str
) -> None:
    with pytest.raises(UndecodableRecord) as refused:
        decode_event(value, headers)

    assert refused.value.code == code


@pytest.mark.parametrize(
    ("name", "value", "code"),
    [
        ("ce_time", b"yesterday", "bad_header"),
        ("ce_time", b"2026-01-02T03:04:05", "bad_header"),
        ("ce_sequence", b"-1", "bad_header"),
        ("ce_writerepoch", b"x", "bad_header"),
        ("ce_subject", b"\xff", "bad_header"),
    ],
)
def test_a_bad_header_is_named(name: str, value: bytes, code: str) -> None:
    record = encode_event(RecordedEvent(ENVELOPE, EVENTS[0]))
    headers = [*headers_without(name), (name, value)]

    with pytest.raises(UndecodableRecord, match=name) as refused:
        decode_event(record.value, headers)

    assert refused.value.code == code


@pytest.mark.parametrize("bad_id", ["", "a b", "../x", "x" * 201, "-x"])
def test_an_execution_id_that_can_not_stand_in_a_url_is_refused(bad_id: str) -> None:
    command = RunPipeline.model_construct(execution_id=bad_id)
    record = encode_command(SentCommand("c-1", "/cli", datetime.now(UTC), command))

    with pytest.raises(UndecodableRecord, match=r"execution_id|ce_subject"):
        decode_command(record.value, record.headers)
