"""The log from before the first release, as bytes; see old_release/README.md."""

import base64
import json
from pathlib import Path

from tests.tracker.histories import LogEntry

_FILE = Path(__file__).parent / "old_release" / "partition-0.jsonl"
# Where the steps of that log lay, and where they lie.
_THEN, _NOW = b"tests.executor.service.", b"tests.executor.support."


def old_log() -> list[LogEntry]:
    """Return its records in order."""
    return [_entry(json.loads(line)) for line in _FILE.read_text().splitlines()]


def _entry(told: dict[str, object]) -> LogEntry:
    headers = [(name, base64.b64decode(value)) for name, value in told["headers"]]  # type: ignore[attr-defined]
    key, value = (base64.b64decode(str(told[name])) for name in ("key", "value"))
    return LogEntry(int(str(told["offset"])), key, value.replace(_THEN, _NOW), headers)
