"""Whether a row that changed belongs to a list, as its SQL would decide."""

import json
from enum import Enum
from typing import Any

from steplog_contracts.envelope import format_time
from tracker_service.store.queries import ExecutionFilter, Row


class Match(Enum):
    """`NOT_NOW`: it may have belonged before, and listeners have to be told that it left."""

    YES = "yes"
    NOT_NOW = "not now"
    NEVER = "never"


def match(wanted: ExecutionFilter, row: Row) -> Match:
    """Return whether a row, its times as text, belongs to the list of a filter."""
    if not _fixed(wanted, row):
        return Match.NEVER
    return Match.YES if _stands(wanted, row) else Match.NOT_NOW


def _fixed(wanted: ExecutionFilter, row: Row) -> bool:
    """What never changes of an execution."""
    begun = row["started_at"]
    return (
        (wanted.pipeline_id is None or row["pipeline_id"] == wanted.pipeline_id)
        and (wanted.started_from is None or begun >= format_time(wanted.started_from))
        and (wanted.started_before is None or begun < format_time(wanted.started_before))
        and (wanted.error_text is None or row["definition_hash"] not in wanted.error_not_of)
        and all(_metadata(row, key) == text for key, text in wanted.metadata)
    )


def _stands(wanted: ExecutionFilter, row: Row) -> bool:
    """What an execution's events change."""
    took_ms, error = row["execution_time_ms"], row["error_message"]
    return (
        (not wanted.statuses or row["status"] in wanted.statuses)
        and (wanted.min_duration_ms is None or (took_ms or -1.0) >= wanted.min_duration_ms)
        and (
            wanted.max_duration_ms is None
            or (took_ms is not None and took_ms <= wanted.max_duration_ms)
        )
        and (wanted.error_text is None or wanted.error_text.lower() in (error or "").lower())
    )


def _metadata(row: Row, key: str) -> str | None:
    found: Any = json.loads(bytes(row["metadata"] or b"{}"))
    value = found.get(key) if isinstance(found, dict) else None
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value)
