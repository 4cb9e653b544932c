"""The SQL that finds which executions changed between two positions, for both databases.

An ended execution is found by the offset of its last event, `ended_offset`, which is null until it
has ended and so has an index. Those that go on are walked over, newest first, up to a bound: an
index on an offset that moves with each event would cost every event.
"""

from collections.abc import Mapping

from tracker_service.store.queries import CHANGED_ROWS
from tracker_service.store.sql import records
from tracker_service.store.sql.dialect import Arguments

# Executions in flight are few; those that wait for people may be many, and change seldom.
LIVE_ROWS = 5_000
_LIVE = ("pending", "running", "waiting_for_human", "paused", "compensating")


def changed(since: Mapping[int, int], until: Mapping[int, int]) -> tuple[str, Arguments]:
    """Return the statement for executions whose last event lies in the ranges, one too many."""
    values = Arguments()
    ranges = [
        f"(partition = {values.add(partition)} AND {{offset}} >= {values.add(begin)} "
        f"AND {{offset}} < {values.add(end)})"
        for partition, end in until.items()
        if (begin := since.get(partition, 0)) < end
    ]
    moved = " OR ".join(part.format(offset="log_offset") for part in ranges) or "false"
    columns = records.EXECUTION_BRIEF
    keys = "execution_id, partition, log_offset"
    live = " UNION ALL ".join(
        f"SELECT * FROM (SELECT {keys} FROM pipeline_executions WHERE status = '{status}' "  # noqa: S608
        f"ORDER BY started_at DESC, execution_id DESC LIMIT {LIVE_ROWS}) AS {status}"
        for status in _LIVE
    )
    ended = " UNION ALL ".join(
        f"SELECT * FROM (SELECT execution_id FROM pipeline_executions "  # noqa: S608
        f"WHERE {part.format(offset='ended_offset')} LIMIT {CHANGED_ROWS + 1}) AS p{number}"
        for number, part in enumerate(ranges)
    )
    found = f"SELECT execution_id FROM ({live}) AS live WHERE {moved}"  # noqa: S608
    if ended:
        found += f" UNION ALL {ended}"
    return (
        f"SELECT {columns} FROM pipeline_executions WHERE execution_id IN ({found}) "  # noqa: S608
        f"ORDER BY started_at DESC, execution_id DESC LIMIT {CHANGED_ROWS + 1}"
    ), values
