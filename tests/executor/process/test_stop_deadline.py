"""A stop ends for certain, whoever does not answer."""

import subprocess
import sys

STOPS = """
import sys, time
from executor_service.process.stop_deadline import StopDeadline
stop = StopDeadline(0.2)
stop.begin()
if sys.argv[1] == "through":
    stop.end()
time.sleep(1.0)
"""


def code_of(how: str) -> int:
    """Return the exit code of a process whose stop goes through in time, or hangs."""
    return subprocess.run([sys.executable, "-c", STOPS, how], timeout=60, check=False).returncode


def test_a_stop_that_hangs_ends_the_process_with_try_again() -> None:
    assert code_of("hangs") == 75


def test_a_stop_that_is_through_leaves_the_process_alone() -> None:
    assert code_of("through") == 0
