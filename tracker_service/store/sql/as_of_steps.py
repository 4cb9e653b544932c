"""How visits and questions of one execution stood at a moment, from the rows alone.

`$1` is the moment, `$2` the execution, `$3` the most rows; see `past_sql`.
"""

from collections.abc import Mapping
from typing import Final

from tracker_service.store.sql import records

_WAITING: Final = """SELECT 1 FROM interactions AS i WHERE i.execution_id = v.execution_id
    AND i.step_id = v.step_id AND i.iteration = v.iteration AND i.created_at <= $1
    AND (i.completed_at IS NULL OR i.completed_at > $1)"""
_ASKED: Final = """(SELECT {column} FROM interactions AS i WHERE i.execution_id = v.execution_id
    AND i.step_id = v.step_id AND i.iteration = v.iteration AND i.created_at <= $1
    ORDER BY i.created_at DESC LIMIT 1)"""
_TRIES: Final = """(SELECT count(*) FROM step_attempts AS a WHERE a.execution_id = v.execution_id
    AND a.step_id = v.step_id AND a.iteration = v.iteration AND a.failed_at <= $1)"""
_VISIT_ENDED: Final = "v.completed_at <= $1"
STATUS: Final = (
    f"CASE WHEN {_VISIT_ENDED} THEN v.status "
    "WHEN v.started_at IS NULL OR v.started_at > $1 THEN 'pending' "
    f"WHEN EXISTS ({_WAITING}) THEN 'waiting_for_human' ELSE 'running' END"
)
_VISIT: Final = {
    "status": STATUS,
    "started_at": "CASE WHEN v.started_at <= $1 THEN v.started_at END",
    "input_data": "CASE WHEN v.started_at <= $1 THEN v.input_data END",
    "output_data": f"CASE WHEN {_VISIT_ENDED} THEN v.output_data "
    f"ELSE {_ASKED.format(column='i.context_data')} END",
    "attempt": f"CASE WHEN {_VISIT_ENDED} THEN v.attempt ELSE 1 + {_TRIES} END",
    "retry_count": f"CASE WHEN {_VISIT_ENDED} THEN v.retry_count ELSE {_TRIES} END",
    "interaction_id": f"CASE WHEN {_VISIT_ENDED} THEN v.interaction_id "
    f"ELSE {_ASKED.format(column='i.interaction_id')} END",
    **{
        name: f"CASE WHEN {_VISIT_ENDED} THEN v.{name} END"
        for name in ("completed_at", "error_message", "execution_time_ms", "error_info")
    },
}


def _selected(columns: str, computed: Mapping[str, str], table: str) -> str:
    names = records.names(columns)
    return ", ".join(f"{computed.get(name, f'{table}.{name}')} AS {name}" for name in names)


# What the rows alone can say of visits: a try that waits for its time counts as begun.
_STEPS: Final = f"""
SELECT {_selected(records.STEP, _VISIT, "v")}
FROM step_executions AS v WHERE v.execution_id = $2 AND v.opened_at <= $1 AND v.item_index IS NULL
ORDER BY v.seq LIMIT $3
"""  # noqa: S608 - made of constants
_QUESTION: Final = {
    "status": "CASE WHEN i.completed_at <= $1 THEN i.status ELSE 'pending' END",
    **{
        name: f"CASE WHEN i.completed_at <= $1 THEN i.{name} END"
        for name in ("human_input", "responded_by", "completed_at")
    },
}
_INTERACTIONS: Final = f"""
SELECT {_selected(records.INTERACTION, _QUESTION, "i")}
FROM interactions AS i WHERE i.execution_id = $2 AND i.created_at <= $1
ORDER BY i.created_at, i.interaction_id LIMIT $3
"""  # noqa: S608 - made of constants


def steps(columns: str) -> str:
    """Return the statement for visits: `columns` of their rows as they stood."""
    columns = columns.replace(records.ANY_HEARTBEAT, "h.progressed_at <= $1")
    return f"SELECT {columns} FROM ({_STEPS}) AS step_executions ORDER BY seq"  # noqa: S608


def interactions(columns: str) -> str:
    """Return the statement for questions: `columns` of their rows as they stood."""
    order = "ORDER BY created_at, interaction_id"
    return f"SELECT {columns} FROM ({_INTERACTIONS}) AS interactions {order}"  # noqa: S608
