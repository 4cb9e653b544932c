"""When a worker that looks alive has to end."""

from tracker_service.worker.watchdog import Watchdog


def watching() -> Watchdog:
    """A watchdog over two partitions, at second 0."""
    watchdog = Watchdog(stall_timeout_s=60.0, started_s=0.0)
    watchdog.assigned({0: 10, 1: 20}, now_s=0.0)
    return watchdog


def test_no_gap_is_no_stall() -> None:
    watchdog = watching()

    watchdog.beat({0: 10, 1: 20}, store_away=False, now_s=1000.0)

    assert watchdog.stalled(1001.0) is None


def test_a_gap_that_does_not_move_is_a_stall() -> None:
    watchdog = watching()
    watchdog.beat({0: 15, 1: 20}, store_away=False, now_s=50.0)
    watchdog.beat({0: 15, 1: 20}, store_away=False, now_s=100.0)

    sentence = watchdog.stalled(100.0)

    assert sentence is not None
    assert "Partition 0 has 5 events" in sentence


def test_progress_starts_the_time_anew() -> None:
    watchdog = watching()
    watchdog.beat({0: 15}, store_away=False, now_s=50.0)
    watchdog.moved(0, 12, now_s=55.0)
    watchdog.beat({0: 15}, store_away=False, now_s=100.0)

    assert watchdog.stalled(100.0) is None


def test_waiting_for_the_database_is_no_stall() -> None:
    """A new process could do no better, and would not even start."""
    watchdog = watching()
    for second in range(0, 600, 10):
        watchdog.beat({0: 15}, store_away=True, now_s=float(second))

    assert watchdog.stalled(600.0) is None


def test_a_loop_that_no_longer_runs_is_a_stall() -> None:
    watchdog = watching()
    watchdog.beat({}, store_away=False, now_s=1.0)

    assert "event loop" in str(watchdog.stalled(62.0))


def test_partitions_given_up_are_no_longer_watched() -> None:
    watchdog = watching()
    watchdog.beat({0: 99}, store_away=False, now_s=10.0)
    watchdog.assigned({1: 20}, now_s=11.0)
    watchdog.beat({0: 99, 1: 20}, store_away=False, now_s=100.0)

    assert watchdog.stalled(101.0) is None


def test_a_worker_outside_its_group_says_so() -> None:
    watchdog = watching()
    assert "has not joined" in str(watchdog.alone(10.0, now_s=1.0))

    watchdog.in_group(now_s=2.0)

    assert watchdog.alone(10.0, now_s=11.0) is None
    assert "has not answered for 11 s" in str(watchdog.alone(10.0, now_s=13.0))
