"""What a record of the events topic says on its outside, read without its payload.

A new owner reads the whole tail of a partition, and most of what is there belongs to executions
that have ended: for them the headers are enough. Measured: 3 us for a record instead of 13 us.
"""

from typing import NamedTuple

from executor_service.event_log import LoggedRecord
from steplog_contracts.codec import read_attributes
from steplog_contracts.envelope import NO_SEQ
from steplog_contracts.errors import UndecodableRecord, UnknownRecordType
from steplog_contracts.events import EVENT_CLASS_BY_TYPE, Event
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
    get = attributes.get
    record_type = get("ce_type", b"")
    event_class = _CLASSES.get(record_type) or _older(record_type)
    causation_id, correlation_id = get("ce_causationid"), get("ce_correlationid")
    epoch, command_offset = get("ce_writerepoch"), get("ce_commandoffset")
    try:
        return Heading(
            event_class,
            attributes["ce_subject"].decode(),
            int(get("ce_sequence", b"%d" % NO_SEQ)),
            None if epoch is None else int(epoch),
            None if causation_id is None else causation_id.decode(),
            None if correlation_id is None else correlation_id.decode(),
            None if command_offset is None else int(command_offset),
        )
    except KeyError as error:
        raise UndecodableRecord("missing_header", "The header ce_subject is missing.") from error
    except ValueError as error:
        raise UndecodableRecord("bad_header", f"A header can't be read: {error}.") from error


def _older(record_type: bytes) -> type[Event]:
    name = record_type.decode(errors="replace")
    event_class = EVENT_CLASS_BY_TYPE.get(newest_type(name))
    if event_class is None:
        raise UnknownRecordType(name)
    return event_class
