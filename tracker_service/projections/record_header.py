"""A record's headers as the tracker sorts records by them, before any payload is looked at."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Protocol, TypeVar

from msgspec import Struct

from steplog_contracts.codec import read_attributes
from steplog_contracts.envelope import NO_SEQ
from steplog_contracts.errors import UndecodableRecord
from steplog_contracts.headers import (
    Attributes,
    execution_id_of,
    number_of,
    optional_number_of,
    optional_text_of,
    text_of,
    time_of,
)

ReadT = TypeVar("ReadT")


class LogRecord(Protocol):
    """One record of the events topic, as a Kafka client hands it over."""

    @property
    def offset(self) -> int: ...
    @property
    def key(self) -> bytes | None: ...
    @property
    def value(self) -> bytes | None: ...
    @property
    def headers(self) -> Sequence[tuple[str, bytes | None]]: ...


class Heading(Struct, gc=False):
    """Where a record stands: its kind, execution, place in that execution's history, writer."""

    offset: int
    kind: str  # The CloudEvents type.
    execution_id: str
    seq: int  # 0: outside any execution's history, or not told.
    time: datetime
    epoch: int | None
    causation_id: str | None
    value: bytes


class RecordBatch(Protocol):
    """Where a heading was read, for who wants the whole record."""

    @property
    def max_timestamp(self) -> int: ...
    @property
    def timestamp_type(self) -> int | None: ...
    def record(self, offset: int) -> LogRecord: ...


class FetchedHeading(Heading, gc=False):
    """A heading that was read right where it was fetched: it stands for its record as well."""

    batch: RecordBatch

    @property
    def key(self) -> bytes | None:
        """The record's key."""
        return self.batch.record(self.offset).key

    @property
    def headers(self) -> Sequence[tuple[str, bytes | None]]:
        """The record's headers."""
        return self.batch.record(self.offset).headers

    @property
    def timestamp(self) -> int:
        """The newest of its batch in milliseconds, which is when they were sent together."""
        return self.batch.max_timestamp

    @property
    def timestamp_type(self) -> int | None:
        """Who set the timestamp, as Kafka numbers it."""
        return self.batch.timestamp_type


class Unreadable(Struct, gc=False):
    """A record that can't be sorted, and why; its execution where that much can be told."""

    offset: int
    execution_id: str | None
    seq: int
    code: str
    reason: str


def read_heading(record: LogRecord) -> Heading | Unreadable:
    """Return where a record stands, in either CloudEvents mode; it never raises."""
    if isinstance(record, Heading):
        return record
    found: Attributes | None = None
    try:
        found, value = read_attributes(record.value, record.headers)
        return Heading(
            record.offset,
            text_of(found, "ce_type"),
            execution_id_of(found),
            number_of(found, "ce_sequence", NO_SEQ),
            time_of(found),
            optional_number_of(found, "ce_writerepoch"),
            optional_text_of(found, "ce_causationid"),
            value,
        )
    except UndecodableRecord as error:
        return _unreadable(record, dict(record.headers) if found is None else found, error)


def _unreadable(record: LogRecord, attributes: Attributes, error: UndecodableRecord) -> Unreadable:
    """Return what can be told of a record; its key names its execution where no header does."""
    named = attributes if attributes.get("ce_subject") else {"ce_subject": record.key}
    return Unreadable(
        record.offset,
        _or_none(execution_id_of, named),
        _or_none(_seq, attributes) or NO_SEQ,
        error.code,
        str(error),
    )


def _seq(attributes: Attributes) -> int:
    return number_of(attributes, "ce_sequence", NO_SEQ)


def _or_none(read: Callable[[Attributes], ReadT], attributes: Attributes) -> ReadT | None:
    try:
        return read(attributes)
    except UndecodableRecord:
        return None
