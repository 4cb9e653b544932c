"""Values of headers, read in one strict place by every reader of records.

A record may come from any program, so nothing in a header is believed: numbers fit a column of 64
bits, times have a form in UTC, texts are UTF-8 and short enough for an index. Where one name stands
twice, the last of the two counts.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Final

from steplog_contracts.errors import UndecodableRecord
from steplog_contracts.refusal_codes import RefusalCode

# Longest id or name in a header, in bytes: it has room in an index entry beside a second one.
MAX_ID_BYTES: Final = 1024
MAX_NUMBER: Final = 2**63 - 1
MAX_NUMBER_DIGITS: Final = 19
# Of a value that is quoted in a refusal.
_QUOTED_BYTES: Final = 40

RawHeaders = Iterable[tuple[str, bytes | None]]
Attributes = Mapping[str, bytes | None]


def text_of(attributes: Attributes, name: str) -> str:
    """Return an id or name that has to be there; raises `UndecodableRecord`."""
    text = optional_text_of(attributes, name)
    if not text:
        raise UndecodableRecord(RefusalCode.MISSING_HEADER, f"The header {name} is missing.")
    return text


def optional_text_of(attributes: Attributes, name: str) -> str | None:
    """Return an id or name, None where the header is missing; raises `UndecodableRecord`."""
    if name not in attributes:
        return None
    value = _value(attributes, name)
    if len(value) > MAX_ID_BYTES:
        raise UndecodableRecord(
            RefusalCode.BAD_HEADER,
            f"The header {name} has {len(value)} bytes; {MAX_ID_BYTES} are allowed.",
        )
    try:
        return value.decode()
    except UnicodeDecodeError as error:
        raise UndecodableRecord(
            RefusalCode.BAD_HEADER, f"The header {name} is not UTF-8."
        ) from error


def execution_id_of(attributes: Attributes) -> str:
    """Return the execution a record is about; raises `UndecodableRecord`."""
    execution_id = text_of(attributes, "ce_subject")
    if "\x00" in execution_id:
        raise UndecodableRecord(
            RefusalCode.BAD_HEADER,
            f"ce_subject is no execution id: {execution_id[:_QUOTED_BYTES]!r}.",
        )
    return execution_id


def number_of(attributes: Attributes, name: str, missing: int) -> int:
    """Return a number, `missing` where the header is; raises `UndecodableRecord`."""
    found = optional_number_of(attributes, name)
    return missing if found is None else found


def optional_number_of(attributes: Attributes, name: str) -> int | None:
    """Return a number of 0 to 2**63 - 1, None where the header is missing.

    Raises:
        UndecodableRecord: it is not written in 1 to 19 digits, or is larger.
    """
    if name not in attributes:
        return None
    value = _value(attributes, name)
    if not (len(value) <= MAX_NUMBER_DIGITS and value.isdigit()) or int(value) > MAX_NUMBER:
        raise UndecodableRecord(
            RefusalCode.BAD_HEADER,
            f"The header {name} is not a number from 0 to 2**63 - 1: {value[:_QUOTED_BYTES]!r}.",
        )
    return int(value)


def time_of(attributes: Attributes) -> datetime:
    """Return `ce_time` in UTC.

    Raises:
        UndecodableRecord: it is missing, is not ISO-8601 with an offset, or has no form in UTC.
    """
    text = text_of(attributes, "ce_time")
    quoted = repr(text[:_QUOTED_BYTES])
    try:
        time = datetime.fromisoformat(text)
    except ValueError as error:
        raise UndecodableRecord(
            RefusalCode.BAD_HEADER, f"ce_time is not ISO-8601: {quoted}."
        ) from error
    if time.tzinfo is UTC:
        return time
    if time.tzinfo is None:
        raise UndecodableRecord(RefusalCode.BAD_HEADER, f"ce_time has no time zone: {quoted}.")
    try:
        return time.astimezone(UTC)
    except OverflowError as error:
        raise UndecodableRecord(
            RefusalCode.BAD_HEADER, f"ce_time has no form in UTC: {quoted}."
        ) from error


def content_type_of(attributes: Attributes) -> bytes:
    """Return the content type, empty where the header is missing; raises `UndecodableRecord`."""
    return _value(attributes, "content-type") if "content-type" in attributes else b""


def _value(attributes: Attributes, name: str) -> bytes:
    value = attributes[name]
    if value is None:
        raise UndecodableRecord(RefusalCode.BAD_HEADER, f"The header {name} has no value.")
    return value
