"""Libraries say what is wrong a few times, with the date, and not thousands of times."""

import logging
import subprocess
import sys

import pytest

from steplog_kafka.library_lines import (
    INTERVAL_S,
    MAX_EQUAL_LINES,
    FloodGate,
    bound_kafka_client,
)

PLAIN_PROGRAM = """
import logging
from steplog_kafka.clients import connection_options

connection_options("127.0.0.1:1")
log = logging.getLogger("aiokafka.conn")
for number in range(1_000):
    log.error("Unable to connect to node %s", number)
"""


def line(text: str, *values: object, level: int = logging.WARNING) -> logging.LogRecord:
    return logging.LogRecord("aiokafka.conn", level, "f.py", 1, text, values, None)


def test_the_first_lines_of_a_kind_pass_in_each_interval() -> None:
    now_s = 0.0
    gate = FloodGate(lambda: now_s)

    first = [gate.filter(line("no node %s", number)) for number in range(100)]
    other = gate.filter(line("another matter"))
    now_s = INTERVAL_S
    later = line("no node %s", 100)

    assert sum(first) == MAX_EQUAL_LINES
    assert other
    assert gate.filter(later)
    assert (
        later.getMessage() == f"no node 100 ({100 - MAX_EQUAL_LINES} lines like it were left out)"
    )


def test_what_is_no_warning_does_not_pass() -> None:
    assert not FloodGate().filter(line("hello", level=logging.INFO))


def test_a_program_without_logs_of_its_own_prints_a_few_dated_lines() -> None:
    told = subprocess.run(
        [sys.executable, "-c", PLAIN_PROGRAM], capture_output=True, text=True, check=True
    ).stderr.splitlines()

    assert len(told) == MAX_EQUAL_LINES
    assert all(one[:2] == "20" and "ERROR aiokafka.conn Unable" in one for one in told)


class Kept(logging.Handler):
    """A program's own handler."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep what is said."""
        self.lines.append(record.getMessage())


def test_a_programs_own_handlers_get_the_lines_that_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    """The handler is not pytest's, which listens to the Kafka client's logger itself."""
    own = Kept()
    monkeypatch.setattr(logging.getLogger(), "handlers", [own])
    # A test that started a broker here has silenced the client while it waited.
    monkeypatch.setattr(logging.getLogger("aiokafka.of_this_test"), "level", logging.WARNING)
    bound_kafka_client()
    bound_kafka_client()

    for _ in range(50):
        logging.getLogger("aiokafka.of_this_test").error("no leader")

    assert own.lines == ["no leader"] * MAX_EQUAL_LINES
