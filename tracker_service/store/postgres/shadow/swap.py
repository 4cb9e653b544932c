"""Shadow tables in the place of the live ones: one transaction, behind locks held for a moment.

Order of locks: `projection_positions` first, as a worker's batch takes it first, then the tables.
Workers wait from then on, readers don't. Only when every row is known to be right are readers held
as well, and for the renaming alone. A lock that does not come within `LOCK_WAIT_MS` is let go of
with everything else and asked for again: nobody can be deadlocked by a rebuild, nor wait for it
longer than that.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Final, TypeVar

from tracker_service.store.errors import StoreUnavailable
from tracker_service.store.migrations import PROJECTION_VERSION
from tracker_service.store.postgres.errors import store_errors
from tracker_service.store.postgres.pool import Connection
from tracker_service.store.postgres.shadow.schema import TABLE_NAMES, vacuum_again

# Well below PostgreSQL's own deadlock_timeout (1 s), after which it would end somebody's query.
LOCK_WAIT_MS: Final = 200
MAX_PAUSE_ATTEMPTS: Final = 20
ATTEMPT_DELAY_S: Final = 0.1
# PostgreSQL ends an autovacuum for whoever has waited for its table for deadlock_timeout.
VACUUM_WAIT_MS: Final = 5000
ResultT = TypeVar("ResultT")
_GRANTS = """
SELECT format('GRANT %s ON "%s".%I TO %s', a.privilege_type, $2::text, c.relname,
    CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(a.grantee)) END)
FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace,
    aclexplode(c.relacl) AS a
WHERE n.nspname = $1 AND c.relname = ANY($3::text[])
UNION ALL
SELECT format('ALTER TABLE "%s".%I OWNER TO %I', $2::text, c.relname, pg_get_userbyid(c.relowner))
FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE n.nspname = $1 AND c.relname = ANY($3::text[])
    AND pg_get_userbyid(c.relowner) <> current_user
"""
_RESOLVE_LETTERS = """
UPDATE "{live}".dead_letters AS l SET status = 'applied', resolved_at = now()
WHERE l.topic = $1 AND l.status IN ('open', 'parked') AND NOT EXISTS (
    SELECT FROM "{shadow}".dead_letters AS s WHERE s.topic = l.topic
        AND s.partition = l.partition AND s.log_offset = l.log_offset)
"""
_ADD_LETTERS = """
INSERT INTO "{live}".dead_letters AS l (topic, partition, log_offset, execution_id, seq, status,
    code, reason, record_key, record_value, record_headers, epoch)
SELECT topic, partition, log_offset, execution_id, seq, status, code, reason, record_key,
    record_value, record_headers, epoch
FROM "{shadow}".dead_letters WHERE topic = $1
ON CONFLICT (topic, partition, log_offset) DO UPDATE SET execution_id = excluded.execution_id,
    seq = excluded.seq, status = excluded.status, code = excluded.code, reason = excluded.reason,
    record_key = excluded.record_key, record_value = excluded.record_value,
    record_headers = excluded.record_headers, epoch = excluded.epoch, resolved_at = NULL
WHERE l.record_value IS DISTINCT FROM excluded.record_value
"""
_POSITIONS = """
INSERT INTO "{live}".projection_positions AS l (topic, partition, next_offset, epoch, last_record,
    generation)
SELECT topic, partition, next_offset, epoch, last_record, 1
FROM "{shadow}".projection_positions WHERE topic = $1
ON CONFLICT (topic, partition) DO UPDATE SET next_offset = excluded.next_offset,
    epoch = excluded.epoch, last_record = excluded.last_record, lost_reason = NULL, lost_at = NULL,
    generation = l.generation + 1
"""


@asynccontextmanager
async def writers_paused(connection: Connection, live: str) -> AsyncIterator[None]:
    """Hold off every writer of the live tables; what is done inside is committed at the end.

    Raises:
        StoreUnavailable: somebody writes for longer than `LOCK_WAIT_MS`; try again.
    """
    with store_errors():
        async with connection.transaction():
            await _lock_all(connection, live, "SHARE ROW EXCLUSIVE", LOCK_WAIT_MS)
            yield


async def end_autovacuum(connection: Connection, live: str) -> None:
    """Have an autovacuum of the live tables given up, which `LOCK_WAIT_MS` is too short for.

    Neither readers nor writers wait meanwhile. A VACUUM that somebody asked for goes on.
    """
    with suppress(StoreUnavailable), store_errors():
        async with connection.transaction():
            await _lock_all(connection, live, "SHARE UPDATE EXCLUSIVE", VACUUM_WAIT_MS)


async def _lock_all(connection: Connection, live: str, mode: str, wait_ms: int) -> None:
    # In the order in which a worker's batch takes them.
    names = ", ".join(f'"{live}".{name}' for name in ("projection_positions", *TABLE_NAMES))
    await connection.execute(f"SET LOCAL lock_timeout = {wait_ms}")
    await connection.execute(f"LOCK TABLE {names} IN {mode} MODE")


async def with_writers_paused(
    connection: Connection, live: str, work: Callable[[], Awaitable[ResultT]]
) -> ResultT:
    """Return what `work` returns, done inside `writers_paused` once that can be had.

    Raises:
        StoreUnavailable: it could not be had in `MAX_PAUSE_ATTEMPTS` attempts.
    """
    await end_autovacuum(connection, live)
    for attempt in range(MAX_PAUSE_ATTEMPTS):
        try:
            async with writers_paused(connection, live):
                return await work()
        except StoreUnavailable:
            if attempt + 1 == MAX_PAUSE_ATTEMPTS:
                raise
        await asyncio.sleep(ATTEMPT_DELAY_S * (attempt + 1))
    raise AssertionError("the last attempt returns or raises")


async def copy_rights(connection: Connection, live: str, shadow: str) -> None:
    """Give the shadow tables the owner and rights of the live ones."""
    for (statement,) in await connection.fetch(_GRANTS, live, shadow, list(TABLE_NAMES)):
        await connection.execute(statement)


async def hold_readers(connection: Connection, live: str) -> bool:
    """Return whether readers are held off now; inside `writers_paused`."""
    names = ", ".join(f'"{live}".{name}' for name in TABLE_NAMES)
    try:
        with store_errors():
            async with connection.transaction():
                await connection.execute(f"LOCK TABLE {names} IN ACCESS EXCLUSIVE MODE")
    except StoreUnavailable:
        return False
    return True


async def swap(connection: Connection, topic: str, live: str, shadow: str, old: str) -> None:
    """Put the shadow tables in the place of the live ones and keep those in the schema `old`."""
    await connection.execute(f'CREATE SCHEMA "{old}"')
    await vacuum_again(connection, shadow)
    for name in TABLE_NAMES:
        await connection.execute(f'ALTER TABLE "{live}".{name} SET SCHEMA "{old}"')
        await connection.execute(f'ALTER TABLE "{shadow}".{name} SET SCHEMA "{live}"')
    await reconcile(connection, topic, live, shadow)
    await connection.execute(f'DROP SCHEMA "{shadow}" CASCADE')


async def reconcile(connection: Connection, topic: str, live: str, shadow: str) -> None:
    """Take over letters and positions; from here on live workers read what they know anew."""
    for statement in (_RESOLVE_LETTERS, _ADD_LETTERS, _POSITIONS):
        await connection.execute(statement.format(live=live, shadow=shadow), topic)
    await connection.execute(
        f'UPDATE "{live}".read_model SET projection_version = $1, pruned_before = NULL',
        PROJECTION_VERSION,
    )


@asynccontextmanager
async def undone_unless_true(guard: Connection, live: str) -> AsyncIterator[list[bool]]:
    """Pause writers in a transaction, and roll it back unless its outcome was noted."""
    outcome: list[bool] = []
    try:
        async with writers_paused(guard, live):
            yield outcome
            if not outcome:
                raise _GiveBack
    except _GiveBack:
        pass


class _GiveBack(Exception):
    """Roll back and release all locks."""
