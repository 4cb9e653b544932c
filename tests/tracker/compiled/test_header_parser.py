"""Headings out of a batch's bytes are those read from the client's records."""

from typing import Any

import pytest
from aiokafka.record.default_records import DefaultRecordBatch
from hypothesis import given
from hypothesis import strategies as st

from steplog_contracts.envelope import Headers
from tests.tracker.compiled.batches import Parts, batch_of
from tests.tracker.histories import History, claim, refused
from tracker_service.compiled.header_parser import headings_in
from tracker_service.log.batch_decoder import HEADER_BYTES
from tracker_service.projections.record_header import Heading, LogRecord, read_heading

FIELDS = Heading.__struct_fields__


class NoBatch:
    """Stands where a heading finds its whole record."""

    max_timestamp = 0
    timestamp_type = None

    def record(self, offset: int) -> LogRecord:
        """Nobody asks."""
        raise AssertionError(offset)


def read(records: list[Parts], base_offset: int = 0) -> tuple[list[Any], list[Any]]:
    """Return the headings found in the bytes, and those of the client's records."""
    data = batch_of(records, base_offset=base_offset)
    found = headings_in(data[HEADER_BYTES:], len(records), base_offset, NoBatch())
    return list(map(told, found)), [
        told(read_heading(record)) for record in DefaultRecordBatch(data)
    ]


def told(heading: Any) -> Any:
    """Return what a heading says, or None if it could not be read."""
    if not isinstance(heading, Heading):
        return None
    return [getattr(heading, name) for name in FIELDS]


def replaced(headers: Headers, name: str, value: bytes | None) -> Headers:
    """Return headers with one replaced, or added, or left out."""
    others = [header for header in headers if header[0] != name]
    if value is None:
        return others
    return [*others, (name, None if value == NO_VALUE else value)]  # type: ignore[list-item]


def test_all_that_an_executor_writes_is_read() -> None:
    history = History("läuft-1", epoch=7)
    records = [
        claim(3),
        history.started(total_steps=2, cause="c-1", input={"n": "ü" * 300}),
        *history.step("a"),
        history.completed({"done": True}),
        refused("c-2"),
    ]

    found, expected = read([tuple(record) for record in records], base_offset=1 << 40)

    assert found == expected
    assert None not in found


NO_VALUE: Any = "none"  # A header without a value, not one that is missing.
ODD = st.sampled_from(
    [
        None,
        b"",
        NO_VALUE,
        b"x",
        b"12",
        b" 12",
        b"+1",
        b"1_0",
        b"9" * 18,
        b"9" * 40,
        b"-5",
        b"\xff",
        b"a\x00b",
        b"a" * 1025,
        b"2026-01-01T00:00:00",
        b"2026-01-01T00:00:00+02:00",
        b"20260101T000000Z",
        b"application/json",
        b"application/cloudevents+json",
        b"steplog.step.started.v9",
    ]
)
NAMES = st.sampled_from(
    [
        "ce_subject",
        "ce_type",
        "ce_time",
        "ce_sequence",
        "ce_writerepoch",
        "ce_causationid",
        "content-type",
        "ce_xxxx",
        "ce_sevenxx",
        "traceparent",
    ]
)


@given(st.lists(st.tuples(NAMES, ODD), max_size=3), st.none() | st.binary(max_size=9))
def test_an_odd_record_is_read_alike_or_left(odd: list[tuple[str, Any]], key: bytes | None) -> None:
    before, after = History("e-1").whole(), History("e-2").whole()
    headers = before[0].headers
    for name, value in odd:
        headers = replaced(headers, name, value)
    records = [*before, (key, before[0].value, headers), *after]

    found, expected = read([tuple(record) for record in records])

    assert found == expected[: len(found)]
    assert len(found) in (len(before), len(records))


def test_of_two_headers_with_one_name_the_later_counts() -> None:
    record = History("e-1").started()
    twice = [*record.headers, ("ce_subject", b"e-2"), ("ce_sequence", b"0000000009")]

    found, expected = read([(None, record.value, twice)])

    assert found == expected
    assert found[0][2] == "e-2"


@pytest.mark.parametrize(
    "headers",
    [[], [("ce_type", None)], replaced(History().started().headers, "ce_time", None)],
    ids=["none", "null", "no-time"],
)
def test_a_record_that_is_no_event_is_left(headers: Any) -> None:
    good = History("e-1").started()

    found, _ = read([tuple(good), (b"k", b"{}", headers), tuple(good)])

    assert len(found) == 1


def test_a_tombstone_is_left() -> None:
    assert read([(b"k", None, History().started().headers)])[0] == []
