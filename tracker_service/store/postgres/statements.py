"""The SQL of the writing side, made from the columns both databases share."""

from typing import Any, Final

from tracker_service.store.columns import Table, upsert_sql
from tracker_service.store.tables import EXECUTIONS, VISITS

CLAIM: Final = """
UPDATE projection_positions SET next_offset = $5, epoch = $6, applied_at = now(),
    last_event_at = COALESCE($7, last_event_at), end_offset = GREATEST(end_offset, $8),
    observed_at = now(),
    caught_up_at = CASE WHEN $5 >= GREATEST(end_offset, $8) THEN now() ELSE caught_up_at END
WHERE topic = $1 AND partition = $2 AND next_offset = $3 AND generation = $4
RETURNING partition
"""
# The same for several partitions at once, each argument but the topic an array: all or none. Rows
# are locked in one order, so that two who hold several can't wait for each other.
_CLAIM_ALL: Final = """
wanted AS (
    SELECT * FROM unnest($2::integer[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[],
        $7::timestamptz[], $8::bigint[])
    AS w(partition, before, generation, next_offset, epoch, last_event_at, end_offset)
), held AS MATERIALIZED (
    SELECT p.partition FROM projection_positions AS p JOIN wanted AS w ON w.partition = p.partition
    WHERE p.topic = $1 AND p.next_offset = w.before AND p.generation = w.generation
    ORDER BY p.partition FOR UPDATE OF p
), claimed AS (
    UPDATE projection_positions AS p SET next_offset = w.next_offset, epoch = w.epoch,
        applied_at = now(), last_event_at = COALESCE(w.last_event_at, p.last_event_at),
        end_offset = GREATEST(p.end_offset, w.end_offset), observed_at = now(),
        caught_up_at = CASE WHEN w.next_offset >= GREATEST(p.end_offset, w.end_offset)
            THEN now() ELSE p.caught_up_at END
    FROM wanted AS w
    WHERE p.topic = $1 AND p.partition = w.partition
        AND (SELECT count(*) FROM held) = cardinality($2::integer[])
    RETURNING p.partition
)
"""
_CLAIM_ARGUMENTS: Final = 8

# A partition that is being advanced just now is left out: that notes its end as well.
OBSERVE: Final = """
WITH ends AS (
    SELECT * FROM unnest($2::integer[], $3::bigint[]) AS e(partition, end_offset)
), free AS MATERIALIZED (
    SELECT partition FROM projection_positions WHERE topic = $1 AND partition = ANY($2::integer[])
    FOR UPDATE SKIP LOCKED
)
UPDATE projection_positions AS p SET end_offset = ends.end_offset, observed_at = now(),
    caught_up_at = CASE WHEN p.next_offset >= ends.end_offset THEN now() ELSE p.caught_up_at END
FROM ends JOIN free USING (partition)
WHERE p.topic = $1 AND p.partition = ends.partition
RETURNING p.partition, p.next_offset
"""
ANSWER: Final = """
UPDATE interactions SET status = $2, completed_at = $3, human_input = $4::json, responded_by = $5
WHERE interaction_id = $1 AND status = 'pending'
"""
SET_ASIDE: Final = """
INSERT INTO dead_letters (topic, partition, log_offset, execution_id, seq, status, code, reason,
    record_key, record_value, record_headers, epoch)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11::json, $12)
ON CONFLICT (topic, partition, log_offset) DO NOTHING
"""
# One round trip for both questions; most executions asked for begin in this very batch.
LOAD_EXECUTIONS: Final = """
SELECT named.id, EXISTS (SELECT 1 FROM dead_letters AS d
        WHERE d.execution_id = named.id AND d.status IN ('open', 'parked')) AS quarantined,
    e.execution_id, e.pipeline_id, e.pipeline_name, e.started_at, e.declared_steps, e.partition,
    e.status, e.completed_at, e.completed_steps, e.failed_steps, e.error_message,
    e.execution_time_ms, e.seq, e.log_offset AS "offset", e.first_offset,
    e.incomplete
FROM unnest($1::text[]) AS named(id)
LEFT JOIN pipeline_executions AS e ON e.execution_id = named.id
"""
LOAD_VISITS: Final = """
SELECT execution_id, step_id, iteration, seq, opened_at, step_name, step_type, status, started_at,
    completed_at, attempt, error_message, execution_time_ms, interaction_id
FROM step_executions WHERE execution_id = ANY($1::text[]) ORDER BY seq
"""


def from_arrays(table: Table[Any], first: int, condition: str = "") -> str:
    """Return an upsert that takes one array per column, as arguments $first and on."""
    arrays = ", ".join(
        f"${first + index}::{_array_type(column.type)}[]"
        for index, column in enumerate(table.columns)
    )
    names = ", ".join(table.names)
    rows = f"unnest({arrays}) AS r({names})"
    source = f"SELECT {_values(table)} FROM {rows} WHERE true {condition}"  # noqa: S608 - constants
    return upsert_sql(table, source)


def from_staging(table: Table[Any]) -> str:
    """Return an upsert from the table's staging table."""
    names = ", ".join(table.names)
    return upsert_sql(table, f"SELECT {names} FROM {staging(table)} WHERE true")  # noqa: S608


def staging(table: Table[Any]) -> str:
    """Return the name of the temporary table COPY goes to."""
    return f"staged_{table.name}"


def create_staging(table: Table[Any]) -> str:
    """Return the statement that makes a connection's temporary table."""
    columns = ", ".join(f"{column.name} {column.type}" for column in table.columns)
    return f"CREATE TEMP TABLE IF NOT EXISTS {staging(table)} ({columns}) ON COMMIT DELETE ROWS"


def _array_type(column_type: str) -> str:
    # JSON travels as text and is cast once it is a row: asyncpg has no quicker way.
    return "text" if column_type == "json" else column_type


def _values(table: Table[Any]) -> str:
    return ", ".join(
        f"{column.name}::json" if column.type == "json" else column.name for column in table.columns
    )


_IF_CLAIMED = "AND EXISTS (SELECT 1 FROM claimed)"
_VISITS_FROM = _CLAIM_ARGUMENTS + 1 + len(EXECUTIONS.columns)
# Positions, executions and visits in one round trip; without all positions nothing is written.
ADVANCE: Final = f"""
WITH {_CLAIM_ALL},
executions AS ({from_arrays(EXECUTIONS, _CLAIM_ARGUMENTS + 1, _IF_CLAIMED)}),
visits AS ({from_arrays(VISITS, _VISITS_FROM, _IF_CLAIMED)})
SELECT count(*) FROM claimed
"""  # noqa: S608 - made of constants
