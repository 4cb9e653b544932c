"""Fetches keep a distance under load, and only then."""

from tracker_service.worker.fetch_pace import GATHER_S, FetchPace

FULL = 1000


class Clock:
    """A clock that stands until it is moved."""

    now_s = 100.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now_s


def steady(pace: FetchPace, clock: Clock, records: int, every_s: float, left: int = 0) -> None:
    """Fetch so many records again and again, for two seconds."""
    for _ in range(int(2 / every_s)):
        clock.now_s += every_s
        pace.fetched(records, left)


def test_a_lone_record_is_fetched_at_once() -> None:
    clock = Clock()
    pace = FetchPace(clock, FULL)

    pace.fetched(1, left=0)

    assert pace.wait_s() == 0.0


def test_few_records_a_second_are_each_fetched_at_once() -> None:
    clock = Clock()
    pace = FetchPace(clock, FULL)

    steady(pace, clock, records=1, every_s=0.002)

    assert pace.wait_s() == 0.0


def test_under_load_fetches_keep_their_distance() -> None:
    clock = Clock()
    pace = FetchPace(clock, FULL)
    steady(pace, clock, records=20, every_s=0.002)

    at_once = pace.wait_s()
    clock.now_s += GATHER_S

    assert 0.0 < at_once <= GATHER_S
    assert pace.wait_s() == 0.0


def test_a_backlog_is_fetched_without_a_pause() -> None:
    clock = Clock()
    pace = FetchPace(clock, FULL)

    steady(pace, clock, records=20, every_s=0.01, left=FULL + 1)

    assert pace.wait_s() == 0.0


def test_after_a_quiet_second_the_first_record_is_fetched_at_once_again() -> None:
    clock = Clock()
    pace = FetchPace(clock, FULL)
    steady(pace, clock, records=20, every_s=0.01)

    clock.now_s += 1.0
    pace.fetched(1, left=0)

    assert pace.wait_s() == 0.0
