"""Logs of our processes: one dated line per happening on stderr, no floods from libraries."""

import logging
import os
import sys
from collections.abc import Sequence

import structlog

from steplog_contracts.addresses import without_passwords
from steplog_contracts.setting_names import unknown_settings
from steplog_kafka.library_lines import FloodGate

LIBRARIES = frozenset(
    {"aiokafka", "asyncio", "asyncpg", "faust", "httpcore", "httpx", "kafka", "mode", "uvicorn"}
)
Processors = Sequence[structlog.typing.Processor]


class _Formatter(structlog.stdlib.ProcessorFormatter):
    """Writes a line in which no address shows its password."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        return without_passwords(super().format(record))


def configure_logs(level: str, adding: Processors = ()) -> None:
    """Send structlog and the standard library's logging to stderr, as one kind of line.

    Args:
        level: below it nothing is written, as DEBUG or INFO.
        adding: what puts more on each line, of steps' own code too, than level and time.
    """
    time_stamp = structlog.processors.TimeStamper(fmt="iso", utc=True)
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        *adding,
        structlog.stdlib.add_log_level,
        time_stamp,
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(level)),
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


def log_unknown_settings() -> None:
    """Log a warning for each environment variable that looks like a setting and is none."""
    log = structlog.get_logger(__name__)
    for sentence in unknown_settings(os.environ):
        log.warning("unknown_setting", told=sentence)


def _of_library(record: logging.LogRecord) -> bool:
    return record.name.split(".")[0] in LIBRARIES
