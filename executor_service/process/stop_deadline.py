"""A stop that ends for certain: what is recorded is in the log, so nothing is lost by ending hard.

Leaving the group, committing and closing producers ask the broker; one that is away answers none of
it, and its client may wait for a minute or more. A step may block the event loop for longer still.
"""

import os
import sys
import threading
from typing import Final

import structlog

# For leaving the group and closing clients, after the grace that running steps were given.
STOP_TIMEOUT_S: Final = 10.0
EXIT_TRY_AGAIN: Final = 75  # EX_TEMPFAIL of sysexits.h: a new process goes on from the log.

_log = structlog.get_logger(__name__)


class StopDeadline:
    """Ends the process if a stop that has begun takes longer than it may."""

    def __init__(self, longest_s: float) -> None:
        self._longest_s = longest_s
        self._timer: threading.Timer | None = None

    def begin(self) -> None:
        """Begin to count; a thread does, since a step may block the event loop."""
        self._timer = threading.Timer(self._longest_s, self._leave)
        self._timer.daemon = True
        self._timer.start()

    def end(self) -> None:
        """The stop is through."""
        if self._timer is not None:
            self._timer.cancel()

    def _leave(self) -> None:
        _log.critical("executor_left", after_s=self._longest_s, reason="Kafka or a step holds it.")
        sys.stderr.flush()
        os._exit(EXIT_TRY_AGAIN)
