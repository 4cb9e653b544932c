"""Rows enough that a planner has a choice, made in the database itself."""

from typing import Final

import asyncpg

EXECUTIONS: Final = 80_000
STEPS: Final = 3

_FILL: Final = (
    """
    INSERT INTO pipeline_executions (execution_id, pipeline_id, pipeline_name, status, started_at,
        completed_at, total_steps, completed_steps, failed_steps, metadata, error_message,
        execution_time_ms, declared_steps, definition_hash, command_id, forked_from, fork_kind,
        parent_execution_id, seq, partition, first_offset, log_offset)
    SELECT 'e-' || n, 'p-' || n % 20, 'P', CASE WHEN ended THEN CASE WHEN n % 50 = 0 THEN 'failed'
            ELSE 'completed' END WHEN n % 2 = 0 THEN 'waiting_for_human' ELSE 'running' END,
        begun, CASE WHEN ended THEN begun + interval '5 s' END, 3, 3, 0,
        json_build_object('team', 'team-' || n % 7), CASE WHEN n % 50 = 0 THEN 'broken ' || n END,
        CASE WHEN ended THEN 5000.0 + n END, 3, 'h-' || n % 20, 'c-' || n,
        CASE WHEN n % 100 = 1 THEN 'e-' || n - 1 END, CASE WHEN n % 100 = 1 THEN 'fork' END,
        CASE WHEN n % 100 = 2 THEN 'e-' || n - 2 END, 8, n % 8, n * 8, n * 8 + 7
    FROM (SELECT n, n <= {executions} - 200 AS ended,
        timestamptz '2026-01-01Z' + n * interval '1 s' AS begun
        FROM generate_series(1, {executions}) AS n) AS numbered
    """,
    """
    INSERT INTO step_executions (execution_id, step_id, iteration, step_name, step_type, status,
        opened_at, started_at, completed_at, execution_time_ms, retry_count, attempt, seq)
    SELECT e.execution_id, 's' || s, 1, 'S', 'task', 'completed', e.started_at, e.started_at,
        e.started_at, 1.0, 0, 1, 2 * s
    FROM pipeline_executions AS e, generate_series(1, {steps}) AS s
    """,
    """
    INSERT INTO step_attempts SELECT execution_id, 's1', 1, 1, 3, started_at, started_at, 1.0, 'x',
        '{{}}' FROM pipeline_executions
    """,
    """
    INSERT INTO step_compensations (execution_id, step_id, iteration, seq, compensated_at,
        duration_ms) SELECT execution_id, 's1', 1, 9, started_at, 1.0 FROM pipeline_executions
    """,
    """
    INSERT INTO step_progress
    SELECT execution_id, 's1', 1, 8, 1, started_at, '7' FROM pipeline_executions
    """,
    """
    INSERT INTO stored_payloads (execution_id, step_id, iteration, pointer, uri, sha256, size_bytes,
        pointer_hash)
    SELECT execution_id, 's1', 1, '/output', 's3://bucket/x',
        encode(sha256(execution_id::bytea), 'hex'), 9, encode(sha256('/output'), 'hex')
    FROM pipeline_executions
    """,
    """
    INSERT INTO interactions (interaction_id, execution_id, pipeline_id, step_id, step_name,
        iteration, status, created_at)
    SELECT 'i-' || execution_id, execution_id, pipeline_id, 's1', 'S', 1,
        CASE WHEN status = 'waiting_for_human' THEN 'pending' ELSE 'completed' END, started_at
    FROM pipeline_executions
    """,
    """
    INSERT INTO execution_status_changes
    SELECT execution_id, 4, 'waiting_for_human', started_at FROM pipeline_executions
    """,
    """
    INSERT INTO applied_commands
    SELECT 'a-' || execution_id, execution_id, 5, started_at FROM pipeline_executions
    """,
    """
    INSERT INTO refused_commands
    SELECT 'r-' || execution_id, execution_id, 'run', 'x', 'y', 5, started_at
    FROM pipeline_executions
    """,
    """
    INSERT INTO pipeline_definitions
    SELECT 'h-' || n, 'p-' || n, 'P', '{{}}', timestamptz '2026-01-01Z'
    FROM generate_series(0, 19) AS n
    """,
    """
    INSERT INTO dead_letters (topic, partition, log_offset, execution_id, seq, status, code, reason,
        record_headers)
    SELECT 't.events', partition, first_offset, execution_id, 5,
        CASE WHEN seq % 100 = 0 THEN 'open' ELSE 'applied' END, 'bad_json', 'x', '[]'
    FROM pipeline_executions
    """,
    "INSERT INTO projection_positions (topic, partition) SELECT 't.events', generate_series(0, 7)",
    "VACUUM ANALYZE",
)
# Tables with a row for each execution or more; reading one of them whole is what must not happen.
LARGE_TABLES: Final = (
    "pipeline_executions",
    "step_executions",
    "step_attempts",
    "step_compensations",
    "step_progress",
    "stored_payloads",
    "interactions",
    "execution_status_changes",
    "applied_commands",
    "refused_commands",
    "dead_letters",
)


async def fill(database: asyncpg.Pool) -> None:
    """Fill every table of an empty read model."""
    for statement in _FILL:
        await database.execute(statement.format(executions=EXECUTIONS, steps=STEPS))
