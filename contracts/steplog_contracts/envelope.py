"""What is true of every record: CloudEvents 1.0 attributes in Kafka's binary mode.

Source: CloudEvents specification 1.0 and its Kafka protocol binding: attributes travel as `ce_*`
headers and the value is the payload alone. Extensions: `partitionkey`, `sequence` (zero-padded, so
that it also sorts as text), `correlationid`, `causationid`, `traceparent` (W3C), and our
`writerepoch`, the offset of the PartitionClaimed under which the record was appended, and
`commandoffset`, where the command that led to the event stands in the commands topic.
"""

import hashlib
import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from steplog_contracts.commands import Command
from steplog_contracts.events import Event

SPEC_VERSION = b"1.0"
CONTENT_TYPE_JSON = b"application/json"
CONTENT_TYPE_STRUCTURED = b"application/cloudevents+json"
SEQUENCE_DIGITS = 10
# Events outside any execution's history: claims and refusals.
NO_SEQ = 0

_EVENT_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "https://steplog.dev/events")

# The two highest bits of the ninth byte are 10 in every UUID of RFC 4122.
_RFC_4122_VARIANT = {digit: "89ab"[int(digit, 16) & 3] for digit in "0123456789abcdef"}

# Kafka allows a header without a value; nothing here writes one.
Headers = list[tuple[str, bytes | None]]


class Record(NamedTuple):
    """Key, value and headers as Kafka carries them."""

    key: bytes | None
    value: bytes | None
    headers: Headers


@dataclass(frozen=True, slots=True)
class EventEnvelope:
    """An event with where it stands: execution, seq, time, writer, cause."""

    event_id: str
    source: str
    time: datetime
    execution_id: str
    seq: int
    correlation_id: str | None = None  # The command that began the execution.
    causation_id: str | None = None  # The command that led to this very event, if one did.
    command_offset: int | None = (
        None  # Of that command in its partition: what a reader expects again.
    )
    writer_epoch: int | None = None
    traceparent: str | None = None


@dataclass(frozen=True, slots=True)
class RecordedEvent:
    """One fact of the log, decoded."""

    envelope: EventEnvelope
    event: Event


@dataclass(frozen=True, slots=True)
class SentCommand:
    """One command of the log, decoded, with its id and when it was sent."""

    command_id: str
    source: str
    time: datetime
    command: Command
    traceparent: str | None = None


def required_headers(
    record_id: str, source: str, record_type: str, time: datetime, content_type: bytes
) -> Headers:
    """Return what every record of ours has; `encoder` makes the same for events, once for each."""
    return [
        ("ce_specversion", SPEC_VERSION),
        ("content-type", content_type),
        ("ce_id", record_id.encode()),
        ("ce_source", source.encode()),
        ("ce_type", record_type.encode()),
        ("ce_time", format_time(time).encode()),
    ]


def execution_namespace(execution_id: str) -> bytes:
    """Return the 16 bytes under which an execution's event ids are made; worth keeping."""
    return uuid.uuid5(_EVENT_NAMESPACE, execution_id).bytes


def event_id(namespace: bytes, seq: int) -> str:
    """Return uuid5(execution, seq): a repeated append of one event is recognisable by its id."""
    digits = hashlib.sha1(namespace + b"%d" % seq, usedforsecurity=False).hexdigest()
    variant = _RFC_4122_VARIANT[digits[16]]
    return f"{digits[:8]}-{digits[8:12]}-5{digits[13:16]}-{variant}{digits[17:20]}-{digits[20:32]}"


def format_time(time: datetime) -> str:
    """Return ISO-8601 with microseconds and offset, the one form times have on the wire."""
    return time.isoformat(timespec="microseconds")
