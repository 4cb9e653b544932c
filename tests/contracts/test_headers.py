"""Values of headers are read strictly, whatever a program wrote there."""

from contextlib import suppress
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steplog_contracts.errors import UndecodableRecord
from steplog_contracts.headers import (
    MAX_ID_BYTES,
    MAX_NUMBER,
    execution_id_of,
    number_of,
    optional_number_of,
    optional_text_of,
    text_of,
    time_of,
)

NO_NUMBERS = [b"", b"-1", b" 1", b"1_0", b"three", b"\xb2", b"1.0", b"1e3", b"+1", b"0" * 20]
TOO_LARGE = [b"%d" % (2**63), b"9" * 19, b"9" * 5000]


@pytest.mark.parametrize("value", [None, *NO_NUMBERS, *TOO_LARGE])
def test_what_is_no_number_of_64_bits_is_refused(value: bytes | None) -> None:
    with pytest.raises(UndecodableRecord) as refused:
        optional_number_of({"ce_sequence": value}, "ce_sequence")

    assert refused.value.code == "bad_header"
    assert len(str(refused.value)) < 200


@pytest.mark.parametrize("number", [0, 1, 2**31, MAX_NUMBER])
def test_a_number_is_read_with_and_without_zeros_before_it(number: int) -> None:
    assert number_of({"n": b"%d" % number}, "n", 5) == number
    assert number_of({"n": b"%019d" % number}, "n", 5) == number


def test_a_number_may_be_missing() -> None:
    assert optional_number_of({}, "n") is None
    assert number_of({}, "n", 5) == 5


@pytest.mark.parametrize(
    "text",
    [
        "yesterday",
        "2026-01-02",
        "2026-01-02T03:04:05",
        "9999-12-31T23:59:59-23:59",
        "0001-01-01T00:00:00+14:00",
        "0000-01-01T00:00:00Z",
        "10000-01-01T00:00:00Z",
        "2026-13-01T00:00:00Z",
        "2026-01-01T00:00:00Z" + "0" * 2000,
    ],
)
def test_a_time_without_a_form_in_utc_is_refused(text: str) -> None:
    with pytest.raises(UndecodableRecord) as refused:
        time_of({"ce_time": text.encode()})

    assert refused.value.code == "bad_header"
    assert len(str(refused.value)) < 200


@pytest.mark.parametrize(
    ("text", "hour"),
    [("2026-01-01T12:00:00Z", 12), ("2026-01-01T12:00:00+02:00", 10), ("20260101T000000Z", 0)],
)
def test_a_time_is_brought_to_utc(text: str, hour: int) -> None:
    time = time_of({"ce_time": text.encode()})

    assert time == datetime(2026, 1, 1, hour, tzinfo=UTC)
    assert time.tzinfo is UTC


@pytest.mark.parametrize("value", [None, b"\xff", b"x" * (MAX_ID_BYTES + 1)])
def test_a_name_that_is_null_or_too_long_or_no_text_is_refused(value: bytes | None) -> None:
    with pytest.raises(UndecodableRecord) as refused:
        optional_text_of({"ce_causationid": value}, "ce_causationid")

    assert refused.value.code == "bad_header"


@pytest.mark.parametrize("value", [None, b"", b"\xff", b"a\x00b", "ü".encode() * 513])
def test_what_can_not_key_a_row_is_no_execution_id(value: bytes | None) -> None:
    with pytest.raises(UndecodableRecord):
        execution_id_of({"ce_subject": value})


@given(st.dictionaries(st.sampled_from(["ce_time", "ce_subject", "n"]), st.none() | st.binary()))
def test_any_bytes_are_read_or_refused(attributes: dict[str, bytes | None]) -> None:
    for read in (
        time_of,
        execution_id_of,
        lambda found: text_of(found, "n"),
        lambda found: optional_number_of(found, "n"),
    ):
        with suppress(UndecodableRecord):
            read(attributes)
