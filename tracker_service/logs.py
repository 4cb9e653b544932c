"""Logs: one short line per happening on stderr, and no floods from the libraries below."""

import logging
import sys
import time
from collections.abc import Callable

import structlog

from steplog_contracts.addresses import without_passwords

# A broker that is down makes its client log hundreds of equal lines; this many pass per interval.
MAX_EQUAL_LINES = 3
INTERVAL_S = 30.0
_LIBRARIES = ("aiokafka", "faust", "mode", "asyncpg", "kafka", "httpx", "httpcore")


class FloodGate(logging.Filter):
    """Lets the first lines of each message template pass in every interval."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._seen: dict[tuple[str, str], tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether this line is a warning and among the first of its interval."""
        if record.levelno < logging.WARNING:
            return False
        key = (record.name, str(record.msg)[:80])
        now_s = self._clock()
        since_s, count = self._seen.get(key, (now_s, 0))
        if now_s - since_s >= INTERVAL_S:
            since_s, count = now_s, 0
        if len(self._seen) > 1000:
            self._seen.clear()
        self._seen[key] = (since_s, count + 1)
        # What a library tells with a traceback is told in one line here.
        record.exc_info = None
        return count < MAX_EQUAL_LINES


class _Formatter(structlog.stdlib.ProcessorFormatter):
    """Writes a line, and a traceback, in which no address shows its password."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        return without_passwords(super().format(record))


def configure_logs(level: str) -> None:
    """Send structlog and the standard library's logging to stderr, as one kind of line."""
    time_stamp = structlog.processors.TimeStamper(fmt="iso", utc=True)
    shared: list[structlog.typing.Processor] = [structlog.stdlib.add_log_level, time_stamp]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        _Formatter(
            # Not the richer form: it prints local variables, and those hold users' payloads.
            processor=structlog.dev.ConsoleRenderer(
                colors=sys.stderr.isatty(),
                exception_formatter=structlog.dev.plain_traceback,
            ),
            foreign_pre_chain=shared,
        )
    )
    gate = FloodGate()
    logging.basicConfig(handlers=[handler], level=level, force=True)
    handler.addFilter(lambda record: not _of_library(record) or gate.filter(record))


def _of_library(record: logging.LogRecord) -> bool:
    return record.name.split(".")[0] in _LIBRARIES
