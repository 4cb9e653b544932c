"""The SQL of the writing side, made from the columns both databases share."""

from collections.abc import Sequence
from typing import Any, Final

from tracker_service.projections.state import ExecutionState, Visit
from tracker_service.store.sql.columns import Column, Rule, Table, loaded, upsert_sql
from tracker_service.store.sql.tables import EXECUTIONS, VISITS

CLAIM: Final = """
UPDATE projection_positions SET next_offset = $5, epoch = $6, last_record = $9, applied_at = now(),
    last_event_at = COALESCE($7, last_event_at), end_offset = GREATEST(end_offset, $8),
    observed_at = now(),
    caught_up_at = CASE WHEN $5 >= GREATEST(end_offset, $8) THEN now() ELSE caught_up_at END
WHERE topic = $1 AND partition = $2 AND next_offset = $3 AND generation = $4
    AND lost_reason IS NULL
RETURNING partition
"""
# The same for several partitions at once, each argument but the topic an array: all or none. Rows
# are locked in one order, so that two who hold several can't wait for each other.
_CLAIM_ALL: Final = """
wanted AS (
    SELECT * FROM unnest($2::integer[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[],
        $7::timestamptz[], $8::bigint[], $9::text[])
    AS w(partition, before, generation, next_offset, epoch, last_event_at, end_offset, last_record)
), held AS MATERIALIZED (
    SELECT p.partition FROM projection_positions AS p JOIN wanted AS w ON w.partition = p.partition
    WHERE p.topic = $1 AND p.next_offset = w.before AND p.generation = w.generation
        AND p.lost_reason IS NULL
    ORDER BY p.partition FOR UPDATE OF p
), claimed AS (
    UPDATE projection_positions AS p SET next_offset = w.next_offset, epoch = w.epoch,
        last_record = w.last_record, applied_at = now(),
        last_event_at = COALESCE(w.last_event_at, p.last_event_at),
        end_offset = GREATEST(p.end_offset, w.end_offset), observed_at = now(),
        caught_up_at = CASE WHEN w.next_offset >= GREATEST(p.end_offset, w.end_offset)
            THEN now() ELSE p.caught_up_at END
    FROM wanted AS w
    WHERE p.topic = $1 AND p.partition = w.partition
        AND (SELECT count(*) FROM held) = cardinality($2::integer[])
    RETURNING p.partition
)
"""
_CLAIM_ARGUMENTS: Final = 9
_IF_CLAIMED: Final = "EXISTS (SELECT 1 FROM claimed)"

# A partition that is being advanced just now is left out: that notes its end as well.
OBSERVE: Final = """
WITH ends AS (
    SELECT * FROM unnest($2::integer[], $3::bigint[]) AS e(partition, end_offset)
), free AS MATERIALIZED (
    SELECT partition FROM projection_positions WHERE topic = $1 AND partition = ANY($2::integer[])
    FOR UPDATE SKIP LOCKED
)
UPDATE projection_positions AS p SET observed_at = now(),
    -- Others apply meanwhile: only of a log that lost records is the position beyond the end.
    end_offset = CASE WHEN p.lost_reason IS NULL THEN GREATEST(ends.end_offset, p.next_offset)
        ELSE ends.end_offset END,
    caught_up_at = CASE WHEN p.next_offset >= ends.end_offset THEN now() ELSE p.caught_up_at END
FROM ends JOIN free USING (partition)
WHERE p.topic = $1 AND p.partition = ends.partition
RETURNING p.partition, p.next_offset
"""
NOTE_LOST: Final = """
UPDATE projection_positions AS p SET lost_reason = l.reason, lost_at = now(),
    end_offset = l.end_offset, observed_at = now()
FROM unnest($2::integer[], $3::text[], $4::bigint[]) AS l(partition, reason, end_offset)
WHERE p.topic = $1 AND p.partition = l.partition AND p.lost_reason IS NULL
"""
CLEAR_LOST: Final = """
UPDATE projection_positions SET lost_reason = NULL, lost_at = NULL, generation = generation + 1
WHERE topic = $1 AND partition = ANY($2::integer[])
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
LOAD_EXECUTIONS: Final = f"""
SELECT named.id, EXISTS (SELECT 1 FROM dead_letters AS d
        WHERE d.execution_id = named.id AND d.status IN ('open', 'parked')) AS quarantined,
    {loaded(EXECUTIONS, ExecutionState, "e.")}
FROM unnest($1::text[]) AS named(id)
LEFT JOIN pipeline_executions AS e ON e.execution_id = named.id
"""  # noqa: S608 - made of constants
LOAD_VISITS: Final = f"""
SELECT {loaded(VISITS, Visit)}
FROM step_executions WHERE execution_id = ANY($1::text[]) ORDER BY seq
"""  # noqa: S608 - made of constants


def from_arrays(table: Table[Any], first: int) -> str:
    """Return an upsert that takes one array per column, as arguments $first and on."""
    return upsert_sql(table, _rows(table.columns, first) + " WHERE true")


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


def _rows(columns: Sequence[Column], first: int) -> str:
    arrays = ", ".join(
        f"${first + index}::{_array_type(column.type)}[]" for index, column in enumerate(columns)
    )
    values = ", ".join(
        f"{column.name}::json" if column.type == "json" else column.name for column in columns
    )
    names = ", ".join(column.name for column in columns)
    return f"SELECT {values} FROM unnest({arrays}) AS r({names})"  # noqa: S608 - constants


def changeable(table: Table[Any]) -> tuple[Column, ...]:
    """Return the columns an update of a row needs: its key and what may change."""
    return tuple(column for column in table.columns if column.rule is not Rule.ONCE)


def _insert(table: Table[Any], first: int) -> str:
    names = ", ".join(table.names)
    rows = f"{_rows(table.columns, first)} WHERE {_IF_CLAIMED}"
    return f"INSERT INTO {table.name} ({names}) {rows}"


def _update(table: Table[Any], first: int) -> str:
    keys = " AND ".join(f"{table.name}.{key} = r.{key}" for key in table.keys)
    return (
        f"UPDATE {table.name} SET {table.sets('r')} "  # noqa: S608 - constants
        f"FROM ({_rows(changeable(table), first)}) AS r "
        f"WHERE {keys} AND {table.not_final} AND {_IF_CLAIMED} RETURNING 1"
    )


_BEGUN = _CLAIM_ARGUMENTS + 1
_CHANGED = _BEGUN + len(EXECUTIONS.columns)
_OPENED = _CHANGED + len(changeable(EXECUTIONS))
_MOVED = _OPENED + len(VISITS.columns)
# Positions, executions and visits in one round trip: null without all positions, and then nothing
# is written. Rows known to be new are inserted, others updated: half the work of an upsert. Should
# what is known be wrong, the insert fails, or the count does, by a division by zero, and all is
# undone; upserts in a transaction then do it.
ADVANCE: Final = f"""
WITH {_CLAIM_ALL},
begun AS ({_insert(EXECUTIONS, _BEGUN)}),
changed AS ({_update(EXECUTIONS, _CHANGED)}),
opened AS ({_insert(VISITS, _OPENED)}),
moved AS ({_update(VISITS, _MOVED)})
SELECT 1 / ((SELECT count(*) FROM changed) = cardinality(${_CHANGED}::text[])
    AND (SELECT count(*) FROM moved) = cardinality(${_MOVED}::text[]))::integer
WHERE {_IF_CLAIMED}
"""  # noqa: S608 - made of constants
