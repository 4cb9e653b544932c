"""Wait for something to become true, bounded, where only a look can tell."""

import time
from collections.abc import Callable

import psutil

WAIT_TIMEOUT_S = 20.0
LOOK_INTERVAL_S = 0.02


def has_ended(process: psutil.Process) -> bool:
    """Whether a process is gone; one that nobody has asked about yet counts as gone."""
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def wait_until(condition: Callable[[], bool], timeout_s: float = WAIT_TIMEOUT_S) -> None:
    """Return once the condition holds; fail if it does not in time."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "it did not come true in time"
        time.sleep(LOOK_INTERVAL_S)
