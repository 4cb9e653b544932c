"""How rows stood at a moment, computed from what they keep of their past; both databases.

Of a row that had ended by then, everything is as it is now: ended rows never change. Of one that
had begun and not ended, what an ending writes was not there yet; its status is the newest change up
to then, and its counts are those of the visits opened and ended up to then.

`$1` is the moment. Statements are written with `$1`, `$2`; SQLite's side turns them into `?1`.
"""

from typing import Final

from tracker_service.store.sql.tables import EXECUTIONS

# Executions looked at for one page that asks for a status: how they stood is in no index.
SCAN_ROWS: Final = 20_000

_ENDED: Final = "e.completed_at <= $1"
_STATUS: Final = f"""CASE WHEN {_ENDED} THEN e.status ELSE COALESCE((SELECT c.status
    FROM execution_status_changes AS c
    WHERE c.execution_id = e.execution_id AND c.changed_at <= $1 ORDER BY c.seq DESC LIMIT 1),
    'running') END"""  # noqa: S608 - made of constants, as everything here
# A step counts by how its newest visit that had ended did; an item of a map is no step.
_COUNTED: Final = """(SELECT count(*) FROM step_executions AS v
    WHERE v.execution_id = e.execution_id AND v.completed_at <= $1 AND v.status = '{status}'
        AND v.item_index IS NULL
        AND NOT EXISTS (SELECT 1 FROM step_executions AS w
            WHERE w.execution_id = v.execution_id AND w.step_id = v.step_id
                AND w.iteration > v.iteration AND w.completed_at <= $1))"""
_TOTAL: Final = """(SELECT max(n) FROM (SELECT e.declared_steps AS n UNION ALL
    SELECT count(DISTINCT v.step_id) FROM step_executions AS v
    WHERE v.execution_id = e.execution_id AND v.opened_at <= $1
        AND v.item_index IS NULL) AS counts)"""
_CURRENT: Final = """(SELECT v.step_id FROM step_executions AS v
    WHERE v.execution_id = e.execution_id AND v.opened_at <= $1
        AND (v.completed_at IS NULL OR v.completed_at > $1) ORDER BY v.seq DESC LIMIT 1)"""
_WHEN_ENDED: Final = ("completed_at", "output_data", "error_message", "error_info", "seq")
_COMPUTED: Final = {
    "status": _STATUS,
    "completed_steps": f"CASE WHEN {_ENDED} THEN e.completed_steps "
    f"ELSE {_COUNTED.format(status='completed')} END",
    "failed_steps": f"CASE WHEN {_ENDED} THEN e.failed_steps "
    f"ELSE {_COUNTED.format(status='failed')} END",
    "total_steps": f"CASE WHEN {_ENDED} THEN e.total_steps ELSE {_TOTAL} END",
    "current_step": f"CASE WHEN {_ENDED} THEN e.current_step ELSE {_CURRENT} END",
    **{
        name: f"CASE WHEN {_ENDED} THEN e.{name} END"
        for name in (*_WHEN_ENDED, "execution_time_ms", "log_offset")
    },
}
# All others are written when the row begins, and never again.
_KEPT: Final = [name for name in EXECUTIONS.names if name not in _COMPUTED]
_COLUMNS: Final = ", ".join(
    [*(f"e.{name}" for name in _KEPT), *(f"{sql} AS {name}" for name, sql in _COMPUTED.items())]
)
_BEGUN: Final = f"SELECT {_COLUMNS} FROM pipeline_executions AS e WHERE e.started_at <= $1"  # noqa: S608
_NEWEST: Final = "ORDER BY started_at DESC, execution_id DESC"

COUNTS: Final = f"""
SELECT status, count(*) AS executions FROM (SELECT {_STATUS} AS status
    FROM pipeline_executions AS e WHERE e.started_at <= $1) AS stood GROUP BY status
"""  # noqa: S608 - made of constants
ROWS_BEGIN: Final = "SELECT min(started_at) AS rows_begin FROM pipeline_executions"


def one(columns: str) -> str:
    """Return the statement for one execution: `columns` of the rows as they stood."""
    return f"SELECT {columns} FROM ({_BEGUN} AND e.execution_id = $2) AS pipeline_executions"  # noqa: S608


def page(columns: str, *, by_status: bool, by_pipeline: bool, after: bool) -> str:
    """Return the statement for a page of `columns`.

    Arguments: moment, rows, then those asked for in order: last place looked at (two), pipeline,
    status. With a status, at most `SCAN_ROWS` executions are looked at, so a page may be short.
    """
    conditions, place = _range(3, by_pipeline=by_pipeline, after=after)
    looked_at = (
        f"SELECT e.execution_id, e.started_at, {_STATUS} AS status "  # noqa: S608 - constants
        f"FROM pipeline_executions AS e WHERE e.started_at <= $1 {conditions} {_NEWEST}"
    )
    if by_status:
        looked_at = (
            f"SELECT execution_id FROM ({looked_at} LIMIT {SCAN_ROWS}) AS looked_at "  # noqa: S608
            f"WHERE status = ${place} {_NEWEST} LIMIT $2"
        )
    else:
        looked_at = f"SELECT execution_id FROM ({looked_at} LIMIT $2) AS looked_at"  # noqa: S608
    # The dear columns are computed for the rows of the page alone.
    return (
        f"SELECT {columns} FROM ({_BEGUN} AND e.execution_id IN ({looked_at})) "  # noqa: S608
        f"AS pipeline_executions {_NEWEST}"
    )


def last_looked_at(*, by_pipeline: bool, after: bool) -> str:
    """Return the statement for the last execution a page by status looks at, if so many exist."""
    conditions, _ = _range(2, by_pipeline=by_pipeline, after=after)
    return (
        "SELECT e.started_at, e.execution_id FROM pipeline_executions AS e "  # noqa: S608
        f"WHERE e.started_at <= $1 {conditions} {_NEWEST} LIMIT 1 OFFSET {SCAN_ROWS - 1}"
    )


def _range(place: int, *, by_pipeline: bool, after: bool) -> tuple[str, int]:
    conditions = []
    if after:
        conditions.append(f"AND (e.started_at, e.execution_id) < (${place}, ${place + 1})")
        place += 2
    if by_pipeline:
        conditions.append(f"AND e.pipeline_id = ${place}")
        place += 1
    return " ".join(conditions), place
