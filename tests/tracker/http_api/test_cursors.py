"""Cursors: every one goes and comes back, and whatever is none of ours is refused."""

import base64
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracker_service.http_api import as_of, cursors
from tracker_service.http_api.problems import BadQuestion
from tracker_service.http_api.routes import events
from tracker_service.store.queries import Sort

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
TIMES = st.integers(0, 10**15).map(lambda us: EPOCH + timedelta(microseconds=us))
IDS = st.text(min_size=1, max_size=40).filter(lambda text: "\x00" not in text)
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda children: st.lists(children) | st.dictionaries(st.text(), children),
    max_leaves=6,
)
READERS = (
    lambda text: cursors.read_cursor(text, Sort.STARTED_AT, descending=True),
    lambda text: cursors.read_cursor(text, Sort.DURATION, descending=True),
    lambda text: cursors.decode_cursor(text, events._place),
    lambda text: cursors.decode_cursor(text, as_of._place),
)


def given_back(reader: Any, text: str) -> Any:
    try:
        return reader(text)
    except BadQuestion:
        return None


@given(TIMES, IDS, st.booleans())
def test_a_place_comes_back_as_it_was(time: datetime, execution_id: str, down: bool) -> None:
    cursor = cursors.write_cursor((time, execution_id), Sort.STARTED_AT, descending=down)

    assert cursors.read_cursor(cursor, Sort.STARTED_AT, descending=down) == (time, execution_id)


def test_a_cursor_of_another_order_is_refused() -> None:
    cursor = cursors.write_cursor((datetime.now(UTC), "e-1"), Sort.STARTED_AT, descending=True)

    with pytest.raises(BadQuestion, match="another order"):
        cursors.read_cursor(cursor, Sort.STARTED_AT, descending=False)


@given(st.text() | st.binary().map(lambda data: base64.urlsafe_b64encode(data).decode()))
def test_text_that_is_no_cursor_is_refused(text: str) -> None:
    assert [given_back(reader, text) for reader in READERS] == [None] * len(READERS)


@given(st.lists(JSON_VALUES, min_size=1, max_size=5))
def test_any_values_are_a_place_or_refused(values: list[Any]) -> None:
    text = base64.urlsafe_b64encode(json.dumps(values).encode()).decode()
    for reader in READERS:
        given_back(reader, text)


@pytest.mark.parametrize("number", ["1e999", "-1", "9223372036854775808", "true", "1.5", '"1"'])
def test_an_offset_that_can_be_none_is_refused(number: str) -> None:
    text = base64.urlsafe_b64encode(f"[{number}, null, 1, null]".encode()).decode()

    with pytest.raises(BadQuestion):
        cursors.decode_cursor(text, events._place)


def test_a_year_beyond_all_calendars_is_refused() -> None:
    late = datetime.max.replace(tzinfo=UTC) - timedelta(seconds=1)
    text = cursors.encode_cursor(late.isoformat().replace("+00:00", "-23:00"), "e-1")

    assert given_back(READERS[3], text) is None
