"""A read model with a long past: executions and their steps, made in the database itself."""

from typing import Final

import asyncpg

PIPELINES: Final = 20
STEPS: Final = 11
# Executions written by one statement; each is a transaction of its own.
CHUNK: Final = 50_000

# One in 50 failed, one in 200 was cancelled; one begins each second, the last one just now.
_EXECUTIONS: Final = f"""
INSERT INTO pipeline_executions (execution_id, pipeline_id, pipeline_name, status, started_at,
    completed_at, total_steps, completed_steps, failed_steps, input_data, output_data,
    error_message, execution_time_ms, metadata, declared_steps, parameters, seq, partition,
    first_offset, log_offset)
SELECT 'past-' || lpad(n::text, 9, '0'), 'p' || n % {PIPELINES}, 'Pipeline ' || n % {PIPELINES},
    CASE WHEN n % 50 = 0 THEN 'failed' WHEN n % 200 = 1 THEN 'cancelled' ELSE 'completed' END,
    now() - make_interval(secs => $3::bigint - n),
    now() - make_interval(secs => $3::bigint - n - 0.5),
    {STEPS}, {STEPS}, 0, ('{{"city": "Oslo", "n": ' || n || '}}')::json, '{{"done": true}}',
    CASE WHEN n % 50 = 0 THEN 'ValueError: bad value ' || n END,
    100 + n % 977, ('{{"team": "t' || n % 7 || '"}}')::json, {STEPS}, '{{}}', 24, n % 8, n * 3,
    n * 3 + 23
FROM generate_series($1::bigint, $2::bigint) AS n
"""
_STEPS: Final = f"""
INSERT INTO step_executions (execution_id, step_id, iteration, step_name, step_type, status,
    opened_at, started_at, completed_at, input_data, output_data, execution_time_ms, retry_count,
    attempt, seq)
SELECT 'past-' || lpad(n::text, 9, '0'), 's' || s, 1, 'Step ' || s, 'task', 'completed',
    now() - make_interval(secs => $3::bigint - n), now() - make_interval(secs => $3::bigint - n),
    now() - make_interval(secs => $3::bigint - n - 0.04), '{{"rows": 12}}', '{{"rows": 11}}',
    3 + n * s % 97, 0, 1, 2 * s
FROM generate_series($1::bigint, $2::bigint) AS n, generate_series(1, {STEPS}) AS s
"""


async def fill(database_url: str, executions: int) -> None:
    """Fill the tables, which exist and are empty, and leave them as a settled database has them."""
    database = await asyncpg.connect(database_url)
    try:
        await database.execute("SET synchronous_commit = off")
        for first in range(1, executions + 1, CHUNK):
            last = min(first + CHUNK - 1, executions)
            for statement in (_EXECUTIONS, _STEPS):
                await database.execute(statement, first, last, executions)
        await database.execute("VACUUM ANALYZE")
        await database.execute("CHECKPOINT")
    finally:
        await database.close()


def execution_id(number: int) -> str:
    """Return the id of one of the executions, counted from 1."""
    return f"past-{number:09d}"
