"""What libraries log, within bounds: an outage makes the Kafka client say so thousands of times.

A process of ours puts the gate before its handler (`process_logs`). A program that uses our client
has logs of its own: there the Kafka client's lines come through the gate to whatever handlers the
program has, or dated to stderr where it has none.
"""

import logging
import sys
import time
from collections.abc import Callable

MAX_EQUAL_LINES = 3
INTERVAL_S = 30.0
MAX_KINDS = 1_000
KAFKA_CLIENT = "aiokafka"
DATED_FORMAT = "%(asctime)s %(levelname)s %(name)s %(message)s"


class FloodGate(logging.Filter):
    """Lets warnings pass, of each message template the first lines of every interval."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._seen: dict[tuple[str, str], tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether this line passes; the first of an interval says how many did not."""
        if record.levelno < logging.WARNING:
            return False
        key = (record.name, _template(record))
        now_s = self._clock()
        since_s, count = self._seen.get(key, (now_s, 0))
        if now_s - since_s >= INTERVAL_S:
            if (left_out := count - MAX_EQUAL_LINES) > 0:
                record.msg = f"{record.getMessage()} ({left_out} lines like it were left out)"
                record.args = ()
            since_s, count = now_s, 0
        if len(self._seen) > MAX_KINDS:
            self._seen.clear()
        self._seen[key] = (since_s, count + 1)
        # What a library tells with a traceback is told in one line here.
        record.exc_info = record.exc_text = None
        return count < MAX_EQUAL_LINES


class _Forwarding(logging.Handler):
    """Hands on what passes the gate to the program's own handlers."""

    def __init__(self) -> None:
        super().__init__()
        self.addFilter(FloodGate())
        self._last_resort = logging.StreamHandler(sys.stderr)
        self._last_resort.setFormatter(logging.Formatter(DATED_FORMAT))

    def emit(self, record: logging.LogRecord) -> None:
        root = logging.getLogger()
        if root.handlers:
            root.callHandlers(record)
        else:
            self._last_resort.handle(record)


def bound_kafka_client() -> None:
    """Let the Kafka client's lines through the gate, once for all in this process."""
    logger = logging.getLogger(KAFKA_CLIENT)
    if not any(isinstance(handler, _Forwarding) for handler in logger.handlers):
        logger.addHandler(_Forwarding())
        logger.propagate = False


def _template(record: logging.LogRecord) -> str:
    return str(record.msg)[:80]
