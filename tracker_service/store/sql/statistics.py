"""The SQL of statistics over a window, for both databases.

Percentiles are by nearest rank: the smallest duration that at least that share of the durations do
not exceed. They are worked out by numbering rows, which both databases can do.
"""

from tracker_service.store.queries import STATISTICS_ROWS, STEP_STATISTICS_ROWS, Window
from tracker_service.store.sql.dialect import Arguments, Dialect

Statement = tuple[str, Arguments]

_SHARES = (("p50_ms", 0.5), ("p95_ms", 0.95), ("p99_ms", 0.99))


def by_pipeline(window: Window, dialect: Dialect) -> Statement:
    """Return rows of pipeline, bucket, executions by ending, and durations of completed ones."""
    values = Arguments()
    bucket = f"{dialect.epoch_s('completed_at')} / {window.bucket_s} * {window.bucket_s}"
    looked_at = _ended(
        window,
        values,
        f"pipeline_id, pipeline_name, status, execution_time_ms AS ms, {bucket} AS bucket",
        STATISTICS_ROWS,
    )
    return (
        f"SELECT pipeline_id, max(pipeline_name) AS pipeline_name, bucket, "  # noqa: S608
        f"count(*) AS ended, {_count('completed')}, {_count('failed')}, {_count('cancelled')}, "
        f"{_percentiles()} FROM ("
        "SELECT *, row_number() OVER completed AS place, count(ms) OVER whole AS places "
        f"FROM ({looked_at}) AS looked_at WINDOW "
        "whole AS (PARTITION BY pipeline_id, bucket, status), "
        "completed AS (PARTITION BY pipeline_id, bucket, status ORDER BY ms)) AS placed "
        "GROUP BY pipeline_id, bucket ORDER BY pipeline_id, bucket"
    ), values


def by_step(window: Window, dialect: Dialect) -> Statement:
    """Return rows of pipeline and step: visits by ending, retries, durations of completed ones."""
    del dialect  # Nothing here differs.
    values = Arguments()
    looked_at = _ended(window, values, "execution_id, pipeline_id", STEP_STATISTICS_ROWS)
    return (
        f"SELECT pipeline_id, step_id, max(step_name) AS step_name, count(*) AS visits, "  # noqa: S608
        f"{_count('completed')}, {_count('failed')}, {_count('skipped')}, "
        f"sum(retry_count) AS retries, {_percentiles()} FROM ("
        "SELECT e.pipeline_id, s.step_id, s.step_name, s.status, s.retry_count, "
        "s.execution_time_ms AS ms, row_number() OVER completed AS place, "
        f"count(s.execution_time_ms) OVER whole AS places FROM ({looked_at}) AS e "
        "JOIN step_executions AS s ON s.execution_id = e.execution_id AND s.item_index IS NULL "
        "WINDOW "
        "whole AS (PARTITION BY e.pipeline_id, s.step_id, s.status), "
        "completed AS (PARTITION BY e.pipeline_id, s.step_id, s.status "
        "ORDER BY s.execution_time_ms)) AS placed "
        "GROUP BY pipeline_id, step_id ORDER BY pipeline_id, step_id"
    ), values


def looked_at(window: Window, limit: int) -> Statement:
    """Return the statement that counts the executions of a window, one beyond the limit at most."""
    values = Arguments()
    rows = _ended(window, values, "1", limit + 1)
    return f"SELECT count(*) AS found FROM ({rows}) AS looked_at", values  # noqa: S608


def _ended(window: Window, values: Arguments, columns: str, limit: int) -> str:
    conditions = [
        f"completed_at >= {values.add(window.since)}",
        f"completed_at < {values.add(window.until)}",
    ]
    if window.pipeline_id is not None:
        conditions.append(f"pipeline_id = {values.add(window.pipeline_id)}")
    return (
        f"SELECT {columns} FROM pipeline_executions WHERE {' AND '.join(conditions)} "  # noqa: S608
        f"ORDER BY completed_at DESC LIMIT {limit}"
    )


def _count(status: str) -> str:
    return f"sum(CASE WHEN status = '{status}' THEN 1 ELSE 0 END) AS {status}"


def _percentiles() -> str:
    return ", ".join(
        f"min(CASE WHEN status = 'completed' AND place >= {share} * places THEN ms END) AS {name}"
        for name, share in _SHARES
    )
