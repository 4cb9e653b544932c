"""Threads of plain steps: so many at once, and another one for each left behind."""

import threading
from collections.abc import Callable

import pytest

from executor_service.runtime.step_threads import StepThreads

TIMEOUT_S = 30.0


def hung(until: threading.Event) -> tuple[threading.Event, Callable[[], None]]:
    """Return what is set once a call runs, and the call, which lasts until it is released."""
    runs = threading.Event()

    def work() -> None:
        runs.set()
        until.wait(TIMEOUT_S)

    return runs, work


def test_further_calls_wait_for_a_thread() -> None:
    threads, release = StepThreads(at_once=1), threading.Event()
    first_runs, first = hung(release)
    second_runs, second = hung(release)
    threads.run(first)
    assert first_runs.wait(TIMEOUT_S)

    job = threads.run(second)

    assert not job.begun
    release.set()
    assert second_runs.wait(TIMEOUT_S)


def test_where_no_thread_can_be_begun_a_call_is_refused_and_a_later_one_made(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    threads, done = StepThreads(at_once=1), threading.Event()

    def not_now(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as full:
        full.setattr(threading.Thread, "start", not_now)
        with pytest.raises(RuntimeError, match="begin no thread"):
            threads.run(done.set)
    assert not threads.busy
    threads.run(done.set)

    assert done.wait(TIMEOUT_S)


def test_a_thread_left_behind_is_replaced_and_its_return_takes_no_place() -> None:
    threads, release = StepThreads(at_once=2), threading.Event()
    for _ in range(2):
        runs, work = hung(release)
        job = threads.run(work)
        assert runs.wait(TIMEOUT_S)
        threads.leave(job)

    for _ in range(4):
        done = threading.Event()
        threads.run(done.set)
        assert done.wait(TIMEOUT_S)
    release.set()
    last = threading.Event()
    threads.run(last.set)

    assert last.wait(TIMEOUT_S)


def test_a_call_that_was_dropped_while_it_waited_is_never_made() -> None:
    threads, release = StepThreads(at_once=1), threading.Event()
    runs, work = hung(release)
    threads.run(work)
    assert runs.wait(TIMEOUT_S)
    dropped, after = threading.Event(), threading.Event()

    threads.leave(threads.run(dropped.set))
    threads.run(after.set)
    release.set()

    assert after.wait(TIMEOUT_S)
    assert not dropped.is_set()


def test_beyond_the_bound_no_more_are_replaced() -> None:
    threads, release = StepThreads(at_once=1, left_behind=1), threading.Event()
    for _ in range(2):
        runs, work = hung(release)
        job = threads.run(work)
        assert runs.wait(TIMEOUT_S)
        threads.leave(job)
    done = threading.Event()

    job = threads.run(done.set)

    assert (threads.exhausted, job.begun) == (True, False)
    release.set()
    assert done.wait(TIMEOUT_S)
    assert not threads.exhausted or threads.busy
