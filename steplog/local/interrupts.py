"""Signals that ask the whole stack to stop, from a terminal or a service manager."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

# SIGHUP comes when the terminal is closed.
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def interrupt_on_stop_signals() -> None:
    """Let each of them do what Ctrl-C does."""
    for number in STOP_SIGNALS:
        signal.signal(number, _interrupt)


@contextmanager
def interrupts_ignored() -> Iterator[None]:
    """Ignore them within the block; stopping is bounded, and cut short it would leave things."""
    before = {number: signal.signal(number, signal.SIG_IGN) for number in STOP_SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
