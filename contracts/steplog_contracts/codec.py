"""Records to bytes and back. The only place that knows header names.

Writers emit CloudEvents binary mode. Readers take binary and structured mode, run old payloads
through the upcasting chain, ignore unknown fields, and tell three cases apart: a record of ours, a
record of a type this version does not know (`UnknownRecordType`) and a record nobody can read
(`UndecodableRecord`).
"""

from typing import TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import from_json

from steplog_contracts.commands import (
    COMMAND_CLASS_BY_TYPE,
    ID_RULE,
    Command,
    check_values,
    is_id,
)
from steplog_contracts.encoder import ExecutionEncoder
from steplog_contracts.envelope import (
    CONTENT_TYPE_JSON,
    CONTENT_TYPE_STRUCTURED,
    NO_SEQ,
    EventEnvelope,
    Record,
    RecordedEvent,
    SentCommand,
    format_time,
    required_headers,
)
from steplog_contracts.errors import UndecodableRecord, UnknownRecordType
from steplog_contracts.events import EVENT_CLASS_BY_TYPE, Event
from steplog_contracts.headers import (
    Attributes,
    RawHeaders,
    content_type_of,
    number_of,
    optional_number_of,
    optional_text_of,
    text_of,
    time_of,
)
from steplog_contracts.json_depth import check_depth, nests_deeper
from steplog_contracts.payload import MAX_JSON_DEPTH_LEVELS, encode_payload
from steplog_contracts.refusal_codes import RefusalCode
from steplog_contracts.structured import binary_from_structured
from steplog_contracts.upcasting import upcast
from steplog_contracts.validation_message import plain_sentence

ModelT = TypeVar("ModelT", bound=BaseModel)


def encode_event(recorded: RecordedEvent) -> Record:
    """Return the record of one event, keyed by its execution."""
    envelope = recorded.envelope
    encoder = ExecutionEncoder(
        envelope.execution_id,
        source=envelope.source,
        correlation_id=envelope.correlation_id,
        writer_epoch=envelope.writer_epoch,
    )
    return encoder.encode(
        recorded.event,
        seq=envelope.seq,
        time=format_time(envelope.time).encode(),
        causation_id=envelope.causation_id,
        command_offset=envelope.command_offset,
        event_id_text=envelope.event_id,
        traceparent=envelope.traceparent,
    )


def encode_command(sent: SentCommand) -> Record:
    """Return the record of one command, keyed by the execution it concerns."""
    command = sent.command
    key = getattr(command, "origin_execution_id", command.execution_id).encode()
    headers = required_headers(
        sent.command_id, sent.source, command.command_type, sent.time, CONTENT_TYPE_JSON
    )
    headers += [("ce_subject", command.execution_id.encode()), ("ce_partitionkey", key)]
    if sent.traceparent is not None:
        headers.append(("traceparent", sent.traceparent.encode()))
    return Record(key, encode_payload(command), headers)


def decode_event(value: bytes | None, headers: RawHeaders) -> RecordedEvent:
    """Read an event in either mode.

    Raises:
        UnknownRecordType: well formed, of a type this version does not know.
        UndecodableRecord: anything else that keeps it from being an event.
    """
    attributes, data = read_attributes(value, headers)
    record_type, payload = upcast(text_of(attributes, "ce_type"), data)
    event_class = EVENT_CLASS_BY_TYPE.get(record_type)
    if event_class is None:
        raise UnknownRecordType(record_type)
    event: Event = _payload(event_class, payload)
    envelope = EventEnvelope(
        event_id=text_of(attributes, "ce_id"),
        source=text_of(attributes, "ce_source"),
        time=time_of(attributes),
        execution_id=text_of(attributes, "ce_subject"),
        seq=number_of(attributes, "ce_sequence", NO_SEQ),
        correlation_id=optional_text_of(attributes, "ce_correlationid"),
        causation_id=optional_text_of(attributes, "ce_causationid"),
        command_offset=optional_number_of(attributes, "ce_commandoffset"),
        writer_epoch=optional_number_of(attributes, "ce_writerepoch"),
        traceparent=optional_text_of(attributes, "traceparent"),
    )
    return RecordedEvent(envelope, event)


def decode_command(value: bytes | None, headers: RawHeaders) -> SentCommand:
    """Read a command in either mode; raises as `decode_event` does."""
    attributes, data = read_attributes(value, headers)
    record_type = text_of(attributes, "ce_type")
    command_class = COMMAND_CLASS_BY_TYPE.get(record_type)
    if command_class is None:
        raise UnknownRecordType(record_type)
    command_id = text_of(attributes, "ce_id")
    if not is_id(command_id):
        raise UndecodableRecord(RefusalCode.BAD_HEADER, f"ce_id is no id: {ID_RULE}.")
    command: Command = _payload(command_class, data)
    if nests_deeper(data, MAX_JSON_DEPTH_LEVELS):
        check_values(command)
    return SentCommand(
        command_id=command_id,
        source=text_of(attributes, "ce_source"),
        time=time_of(attributes),
        command=command,
        traceparent=optional_text_of(attributes, "traceparent"),
    )


def read_attributes(value: bytes | None, headers: RawHeaders) -> tuple[Attributes, bytes]:
    """Return the `ce_*` attributes and payload bytes of a record in either mode.

    Raises:
        UndecodableRecord: it has no value, or is in structured mode and no CloudEvent.
    """
    attributes = dict(headers)
    if value is None:
        raise UndecodableRecord(RefusalCode.BAD_PAYLOAD, "The record has no value.")
    if content_type_of(attributes).startswith(CONTENT_TYPE_STRUCTURED):
        return binary_from_structured(value)
    return attributes, value


def _payload(model: type[ModelT], data: bytes) -> ModelT:
    check_depth(data)
    try:
        # Through from_json first, which alone can be told to refuse NaN and infinities.
        return model.model_validate(from_json(data, allow_inf_nan=False))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"]) or "the payload"
        raise UndecodableRecord(
            RefusalCode.BAD_PAYLOAD, f"{place}: {plain_sentence(first)}"
        ) from error
    except (ValueError, RecursionError) as error:
        raise UndecodableRecord(
            RefusalCode.BAD_JSON, f"The payload is not JSON: {error}."
        ) from error
