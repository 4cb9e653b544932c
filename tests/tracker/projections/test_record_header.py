"""What can't be sorted by its headers is told from what can, and never raises."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steplog_contracts.envelope import Headers
from tests.tracker.histories import History, LogEntry
from tests.verification.odd_records import NAMES
from tracker_service.projections.record_header import Unreadable, read_heading

GOOD = History("e-1", epoch=1).started()


def without_value(name: str) -> Headers:
    """Return good headers, one of them with nothing in it, as Kafka allows."""
    return [(key, None if key == name else value) for key, value in GOOD.headers]  # type: ignore[misc]


@pytest.mark.parametrize(
    "name", ["ce_type", "ce_subject", "ce_time", "content-type", "ce_sequence", "ce_writerepoch"]
)
def test_a_header_without_a_value_makes_a_record_unreadable(name: str) -> None:
    heading = read_heading(LogEntry(7, GOOD.key, GOOD.value, without_value(name)))

    assert isinstance(heading, Unreadable)
    assert (heading.offset, heading.execution_id, heading.code) == (7, "e-1", "bad_header")


def test_an_unreadable_record_may_lack_the_value_of_its_sequence_too() -> None:
    headers = [*without_value("ce_sequence"), ("ce_type", None)]

    heading = read_heading(LogEntry(7, GOOD.key, GOOD.value, headers))  # type: ignore[arg-type]

    assert isinstance(heading, Unreadable)
    assert heading.seq == 0


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ce_sequence", b"9" * 5000),
        ("ce_sequence", b"%d" % (2**63)),
        ("ce_sequence", b"-1"),
        ("ce_writerepoch", b"%d" % (2**63)),
        ("ce_time", b"9999-12-31T23:59:59-23:59"),
        ("ce_time", b"0001-01-01T00:00:00+14:00"),
        ("ce_causationid", b"c" * 1025),
        ("ce_subject", "ü".encode() * 513),
    ],
)
def test_what_no_column_holds_is_a_bad_header_and_taken_nowhere(name: str, value: bytes) -> None:
    headers = [*(header for header in GOOD.headers if header[0] != name), (name, value)]

    heading = read_heading(LogEntry(7, GOOD.key, GOOD.value, headers))

    assert isinstance(heading, Unreadable)
    assert heading.code == "bad_header"
    assert heading.seq in (0, 1)
    assert heading.execution_id in (None, "e-1")
    assert len(heading.reason) < 200


@given(
    st.none() | st.binary(max_size=9),
    st.none() | st.binary(max_size=40),
    st.lists(st.tuples(st.sampled_from(NAMES), st.none() | st.binary(max_size=30)), max_size=9),
)
def test_any_record_has_a_heading_or_a_reason(
    key: bytes | None, value: bytes | None, headers: Headers
) -> None:
    heading = read_heading(LogEntry(7, key, value, headers))

    assert heading.offset == 7
    assert 0 <= heading.seq < 2**63
