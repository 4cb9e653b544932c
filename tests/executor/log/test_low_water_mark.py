"""A commands offset is committed only when everything before it is done."""

import pytest

from executor_service.log.low_water_mark import LowWaterMark
from executor_service.ports.resume_point import ResumePoint, resume_point

FRESH = ResumePoint(command_offset=10, mark=100, epoch=90)


def a_mark(replay_until: int = 10) -> LowWaterMark:
    """Return the mark of a partition whose next command is 10."""
    return LowWaterMark(FRESH, replay_until)


def test_nothing_received_commits_where_it_began_and_reads_nothing_again() -> None:
    assert a_mark().commit_point(next_event_offset=150) == (10, 150)


def test_an_open_command_holds_both_its_offset_and_its_floor() -> None:
    mark = a_mark()
    mark.received(10, floor=110)
    mark.received(11, floor=120)
    mark.done(11)

    assert mark.commit_point(next_event_offset=150) == (10, 110)


def test_a_command_done_out_of_order_keeps_its_floor_while_an_older_one_is_open() -> None:
    """It comes again after a crash, and must then be recognised in the tail."""
    mark = a_mark()
    mark.received(10, floor=130)
    mark.received(11, floor=105)
    mark.done(11)

    assert mark.commit_point(next_event_offset=150) == (10, 105)


def test_commands_done_in_a_row_are_committed_together() -> None:
    mark = a_mark()
    for offset in (10, 11, 12):
        mark.received(offset, floor=100 + offset)
    mark.done(12)
    mark.done(10)
    mark.done(11)

    assert mark.commit_point(next_event_offset=150) == (13, 150)


def test_the_inherited_mark_stays_until_everything_that_comes_again_has_come() -> None:
    """Otherwise a second crash forgets what the first owner had begun for command 11."""
    mark = a_mark(replay_until=12)
    mark.received(10, floor=120)
    mark.done(10)

    assert mark.commit_point(next_event_offset=150) == (11, 100)

    mark.received(11, floor=130)
    assert mark.commit_point(next_event_offset=150) == (11, 130)


def test_a_resume_point_survives_the_commits_metadata() -> None:
    point = ResumePoint(command_offset=5, mark=77, epoch=60)

    assert resume_point(5, point.metadata()) == point


@pytest.mark.parametrize("metadata", ["", "{}", "not json", "[1]", '{"mark": null, "epoch": 1}'])
def test_a_commit_without_usable_metadata_means_reading_from_the_start(metadata: str) -> None:
    assert resume_point(5, metadata) == ResumePoint(5, 0, None)
