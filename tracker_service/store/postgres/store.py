"""The writing side of the read model in PostgreSQL.

Batches that are small and change nothing but executions and visits are written together, several
partitions in one round trip; any other batch is a transaction of its own: position first, which
also locks out any other writer of the partition, then rows.
"""

import sys
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from tracker_service.projections.row_changes import Changes
from tracker_service.projections.state import ExecutionState, Visit, restored
from tracker_service.store.dead_letters import letter_row
from tracker_service.store.postgres import pruning
from tracker_service.store.postgres import statements as sql
from tracker_service.store.postgres.batch_write import BatchWriter, arrays, claim
from tracker_service.store.postgres.database_settings import read_database_settings
from tracker_service.store.postgres.errors import store_errors
from tracker_service.store.postgres.migrations_runner import check, check_versions, migrate
from tracker_service.store.postgres.pool import Connection, Pool, open_pool
from tracker_service.store.postgres.write_batcher import WriteBatcher
from tracker_service.store.pruning import Place, Pruned
from tracker_service.store.sql.columns import Table
from tracker_service.store.sql.tables import (
    EXECUTIONS,
    VISITS,
    execution_rows,
    side_rows,
    visit_rows,
)
from tracker_service.store.write_port import Advance, Loaded, Position

# Rows from which COPY into a temporary table is used. At 640 rows arrays won here (47,000 events/s
# against 42,000): one round trip instead of seven outweighs the cheaper transfer.
COPY_FROM_ROWS = 2000
# Executions asked for in one query.
FULL_IDS = 2000
LOADS_AT_ONCE = 2
_POSITIONS = (
    "SELECT partition, next_offset, epoch, generation, last_record, lost_reason "
    "FROM projection_positions"
)


class PostgresStore:
    """`tracker_service.store.write_port.Store` over a pool of connections."""

    def __init__(
        self,
        url: str,
        *,
        max_connections: int = 10,
        schema: str | None = None,
        copy_from_rows: int = COPY_FROM_ROWS,
    ) -> None:
        self._url = url
        self._max_connections = max_connections
        self._schema = schema
        self._copy_from_rows = copy_from_rows
        self._pool: Pool | None = None
        self._flushes = BatchWriter(lambda: self.pool, self._write_in_steps)
        self._loads = WriteBatcher[list[str], Loaded](
            self._load, full_weight=FULL_IDS, most_at_once=LOADS_AT_ONCE
        )

    @property
    def pool(self) -> Pool:
        """The pool, once open."""
        assert self._pool is not None, "open() comes first"
        return self._pool

    async def open(self) -> None:
        """Connect and migrate; raises `StoreRefused` where a person must act."""
        self._pool = await open_pool(
            self._url,
            max_connections=self._max_connections,
            application="steplog-tracker",
            schema=self._schema,
            by_key_only=True,
            needs_session=False,
        )
        try:
            if read_database_settings().by_transaction:
                # Migrations hold a lock of their session, and COPY fills a table of its session.
                self._copy_from_rows = sys.maxsize
                await check(self._pool)
            else:
                await migrate(self._pool)
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        """Let go of all connections, at once: nothing is in flight that must be kept."""
        pool, self._pool = self._pool, None
        if pool is not None:
            pool.terminate()

    async def positions(self, topic: str, partitions: list[int]) -> dict[int, Position]:
        """Return positions, making those that are missing, so that an advance finds its row.

        Raises:
            StoreRefused: schema or rows have become those of another tracker meanwhile.
        """
        await check_versions(self.pool)
        with store_errors():
            await self.pool.execute(
                "INSERT INTO projection_positions (topic, partition) "
                "SELECT $1, unnest($2::integer[]) ON CONFLICT DO NOTHING",
                topic,
                partitions,
            )
            rows = await self.pool.fetch(
                f"{_POSITIONS} WHERE topic = $1 AND partition = ANY($2::integer[])",
                topic,
                partitions,
            )
        return {row[0]: Position(*tuple(row)[1:]) for row in rows}

    async def known_partitions(self, topic: str) -> int:
        """Return how many partitions of the topic have a position."""
        with store_errors():
            count = await self.pool.fetchval(
                "SELECT count(*) FROM projection_positions WHERE topic = $1", topic
            )
        return int(count)

    async def topics(self) -> list[str]:
        """Return the topics that have a position."""
        with store_errors():
            rows = await self.pool.fetch("SELECT DISTINCT topic FROM projection_positions")
        return [row[0] for row in rows]

    async def load(self, execution_ids: list[str]) -> Loaded:
        """Return states from rows; one round trip per table."""
        return await self._loads.call(execution_ids, len(execution_ids))

    async def advance(self, step: Advance) -> bool:
        """Write one step forward; see the port."""
        changes = step.changes
        rows = len(changes.executions) + len(changes.visits)
        if changes.only_rows and rows < self._copy_from_rows:
            return await self._flushes.write(step, rows)
        return await self._write_in_steps(step)

    async def observe_ends(self, topic: str, ends: dict[int, int]) -> dict[int, int]:
        """Note end offsets, and the moment for those partitions that are caught up."""
        with store_errors():
            rows = await self.pool.fetch(sql.OBSERVE, topic, list(ends), list(ends.values()))
        return {row[0]: row[1] for row in rows}

    async def note_lost(
        self, topic: str, reasons: Mapping[int, str], ends: Mapping[int, int]
    ) -> None:
        """Let nothing be applied to partitions any more; see the port."""
        told = [ends[partition] for partition in reasons]
        with store_errors():
            await self.pool.execute(
                sql.NOTE_LOST, topic, list(reasons), list(reasons.values()), told
            )

    async def clear_lost(self, topic: str, partitions: Sequence[int]) -> None:
        """Let partitions be applied again; see the port."""
        with store_errors():
            await self.pool.execute(sql.CLEAR_LOST, topic, list(partitions))

    async def prune(self, before: datetime, after: Place, limit: int) -> Pruned:
        """Remove one batch of executions; see `tracker_service.store.pruning`."""
        return await pruning.prune(self.pool, before, after, limit)

    async def prune_refusals(self, before: datetime, limit: int) -> int:
        """Remove old refusals of executions without a row."""
        return await pruning.prune_refusals(self.pool, before, limit)

    async def prune_definitions(self, before: datetime, limit: int) -> int:
        """Remove definitions nobody has any more; see `tracker_service.store.pruning`."""
        return await pruning.prune_definitions(self.pool, before, limit)

    async def _load(self, asked: Sequence[list[str]]) -> Sequence[Loaded]:
        named = [name for names in asked for name in names]
        with store_errors():
            async with self.pool.acquire() as connection:
                if len(set(named)) < len(named):  # States are not to be shared.
                    return [await load(connection, names) for names in asked]
                loaded = await load(connection, named)
        return [_part(loaded, names) for names in asked]

    async def _write_in_steps(self, step: Advance) -> bool:
        rows = len(step.changes.executions) + len(step.changes.visits)
        with store_errors():
            async with self.pool.acquire() as connection, connection.transaction():
                if await connection.fetchval(sql.CLAIM, *claim(step)) is None:
                    return False
                await write_rows(connection, step.changes, copy=rows >= self._copy_from_rows)
                await set_aside(connection, step)
                return True


async def live_positions(connection: Connection, topic: str) -> dict[int, Position]:
    """Return the position of every partition that has one."""
    rows = await connection.fetch(
        f"{_POSITIONS} WHERE topic = $1 ORDER BY partition",
        topic,
    )
    return {row[0]: Position(*tuple(row)[1:]) for row in rows}


async def load(connection: Connection, execution_ids: list[str]) -> Loaded:
    """Return the states of executions and which of them are quarantined."""
    rows = await connection.fetch(sql.LOAD_EXECUTIONS, execution_ids)
    quarantined = {row["id"] for row in rows if row["quarantined"]}
    executions = [dict(row) for row in rows if row["execution_id"] is not None]
    visits: dict[str, list[Visit]] = {}
    # Ended executions take nothing more, so their visits are not needed.
    going_on = [row["execution_id"] for row in executions if row["completed_at"] is None]
    if going_on:
        for row in await connection.fetch(sql.LOAD_VISITS, going_on):
            visits.setdefault(row["execution_id"], []).append(Visit(**dict(row)))
    states = {}
    for known in executions:
        del known["id"], known["quarantined"]
        state = ExecutionState(**known)
        states[state.execution_id] = restored(state, visits.get(state.execution_id, []))
    return Loaded(states, quarantined)


async def write_rows(connection: Connection, changes: Changes, *, copy: bool) -> None:
    """Write everything a fold changes but what it set aside; in the caller's transaction."""
    await _write(connection, EXECUTIONS, execution_rows(changes), copy=copy)
    await _write(connection, VISITS, visit_rows(changes), copy=copy)
    for table, rows in side_rows(changes):
        await _write(connection, table, rows)
    if changes.answers:
        await connection.executemany(
            sql.ANSWER,
            [
                (a.interaction_id, a.status, a.completed_at, a.human_input, a.responded_by)
                for a in changes.answers
            ],
        )


async def set_aside(connection: Connection, step: Advance) -> None:
    """Write the records of this step that were not applied."""
    rows = [letter_row(step, letter) for letter in step.changes.set_aside]
    if rows:
        await connection.executemany(sql.SET_ASIDE, rows)


def _part(loaded: Loaded, names: list[str]) -> Loaded:
    states = {name: loaded.states[name] for name in names if name in loaded.states}
    return Loaded(states, loaded.quarantined & set(names))


async def _write(
    connection: Connection, table: Table[Any], rows: list[Sequence[Any]], *, copy: bool = False
) -> None:
    if not rows:
        return
    if not copy:
        await connection.execute(sql.from_arrays(table, 1), *arrays(table, rows))
        return
    await connection.execute(sql.create_staging(table))
    await connection.copy_records_to_table(sql.staging(table), records=rows, columns=table.names)
    await connection.execute(sql.from_staging(table))
