"""What can't be sorted by its headers is told from what can, and never raises."""

import pytest

from steplog_contracts.envelope import Headers
from tests.tracker.histories import History, LogEntry
from tracker_service.projections.headings import Unreadable, read_heading

GOOD = History("e-1").started()


def without_value(name: str) -> Headers:
    """Return good headers, one of them with nothing in it, as Kafka allows."""
    return [(key, None if key == name else value) for key, value in GOOD.headers]  # type: ignore[misc]


@pytest.mark.parametrize("name", ["ce_type", "ce_subject", "ce_time", "content-type"])
def test_a_header_without_a_value_makes_a_record_unreadable(name: str) -> None:
    heading = read_heading(LogEntry(7, GOOD.key, GOOD.value, without_value(name)))

    assert isinstance(heading, Unreadable)
    assert (heading.offset, heading.execution_id, heading.code) == (7, "e-1", "bad_header")


def test_an_unreadable_record_may_lack_the_value_of_its_sequence_too() -> None:
    headers = [*without_value("ce_sequence"), ("ce_type", None)]

    heading = read_heading(LogEntry(7, GOOD.key, GOOD.value, headers))  # type: ignore[arg-type]

    assert isinstance(heading, Unreadable)
    assert heading.seq == 0
