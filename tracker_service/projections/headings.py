"""A record's headers as the tracker sorts records by them, before any payload is looked at."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from msgspec import Struct

from steplog_contracts.codec import read_attributes
from steplog_contracts.envelope import CONTENT_TYPE_JSON, CONTENT_TYPE_STRUCTURED
from steplog_contracts.errors import UndecodableRecord

# Longest execution id a row can be keyed by; PostgreSQL's index entries end near 2,700 bytes.
MAX_KEY_BYTES = 1024


class LogRecord(Protocol):
    """One record of the events topic, as a Kafka client hands it over."""

    @property
    def offset(self) -> int: ...
    @property
    def key(self) -> bytes | None: ...
    @property
    def value(self) -> bytes | None: ...
    @property
    def headers(self) -> Sequence[tuple[str, bytes]]: ...


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
    def headers(self) -> Sequence[tuple[str, bytes]]:
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
    """Return where a record stands, in either CloudEvents mode."""
    if isinstance(record, Heading):
        return record
    value = record.value
    attributes = dict(record.headers)
    try:
        content_type = attributes.get("content-type", CONTENT_TYPE_JSON)
        if value is None or content_type.startswith(CONTENT_TYPE_STRUCTURED):
            found, value = read_attributes(value, record.headers)
            attributes = dict(found)
        execution_id = attributes["ce_subject"].decode()
        _check_key(execution_id)
        seq = attributes.get("ce_sequence")
        epoch = attributes.get("ce_writerepoch")
        causation_id = attributes.get("ce_causationid")
        return Heading(
            record.offset,
            attributes["ce_type"].decode(),
            execution_id,
            0 if seq is None else int(seq),
            _time(attributes["ce_time"].decode()),
            None if epoch is None else int(epoch),
            None if causation_id is None else causation_id.decode(),
            value,
        )
    except KeyError as missing:
        return _unreadable(record, "missing_header", f"The header {missing.args[0]} is missing.")
    except AttributeError:
        return _unreadable(record, "bad_header", "A header has no value.")
    except UndecodableRecord as error:
        return _unreadable(record, error.code, str(error))
    except ValueError as error:
        return _unreadable(record, "bad_header", f"A header can't be read: {error}.")


def _time(text: str) -> datetime:
    time = datetime.fromisoformat(text)
    if time.tzinfo is None:
        raise ValueError(f"ce_time has no time zone: {text!r}")
    return time


def _check_key(execution_id: str) -> None:
    if not execution_id or "\x00" in execution_id or len(execution_id) > MAX_KEY_BYTES:
        raise ValueError(f"ce_subject is no execution id: {execution_id[:80]!r}")


def _unreadable(record: LogRecord, code: str, reason: str) -> Unreadable:
    attributes = dict(record.headers)
    subject = attributes.get("ce_subject") or record.key or b""
    seq = attributes.get("ce_sequence") or b""
    return Unreadable(
        record.offset,
        _key_or_none(subject),
        int(seq) if seq.isdigit() else 0,
        code,
        reason,
    )


def _key_or_none(subject: bytes) -> str | None:
    try:
        execution_id = subject.decode()
        _check_key(execution_id)
    except ValueError:
        return None
    return execution_id
