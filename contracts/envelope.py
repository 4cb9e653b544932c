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

from contracts.commands import Command
from contracts.events import Event

SPEC_VERSION = b"1.0"
CONTENT_TYPE_JSON = b"application/json"
CONTENT_TYPE_STRUCTURED = b"application/cloudevents+json"
SEQUENCE_DIGITS = 10
# Events outside any execution's history: claims and refusals.
NO_SEQ = 0

_EVENT_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "https://steplog.dev/events")

Headers = list[tuple[str, bytes]]


@dataclass(frozen=True, slots=True)
class Record:
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


def execution_namespace(execution_id: str) -> bytes:
    """Return the 16 bytes under which an execution's event ids are made; worth keeping."""
    return uuid.uuid5(_EVENT_NAMESPACE, execution_id).bytes


def event_id(namespace: bytes, seq: int) -> str:
    """Return uuid5(execution, seq): a repeated append of one event is recognisable by its id."""
    digest = hashlib.sha1(namespace + b"%d" % seq, usedforsecurity=False).digest()
    number = int.from_bytes(digest[:16], "big")
    number = number & ~(0xF000 << 64) | (5 << 76)
    number = number & ~(0xC000 << 48) | (0x8000 << 48)
    text = f"{number:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def format_time(time: datetime) -> str:
    """Return ISO-8601 with microseconds and offset, the one form times have on the wire."""
    return time.isoformat(timespec="microseconds")
