"""One partition's rows into shadow tables by COPY, all in one transaction."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

import msgspec

from tracker_service.compiled.pg_copy_writer import HEADER, TRAILER, CopyRows
from tracker_service.projections.row_changes import Changes
from tracker_service.projections.state import ExecutionState, Visit
from tracker_service.store.dead_letters import headers_text
from tracker_service.store.postgres.errors import store_errors
from tracker_service.store.postgres.pool import Connection, Pool
from tracker_service.store.postgres.store import write_rows
from tracker_service.store.sql.tables import EXECUTIONS, VISITS
from tracker_service.store.write_port import RawRecord

# Rows gathered before they go out together; what waits in memory is never more than twice this.
COPY_ROWS = 20_000
SPILL_PAGE = 1000
_states = msgspec.msgpack.Decoder(ExecutionState)

Rows = list[Sequence[Any]]

_DEFERRED = ("partition", "log_offset", "execution_id", "epoch", "record_key", "record_value")


class ShadowWriter:
    """Takes finished rows of a partition; `commit` makes all of them visible at once.

    What hangs on executions (questions, attempts, ...) is written at once on another connection:
    few rows, added only, and the same again if the partition is built anew.
    """

    def __init__(self, pool: Pool, partition: int) -> None:
        self._pool = pool
        self._partition = partition
        self._executions: Rows = []
        self._visits: Rows = []
        self._copying: asyncio.Task[None] | None = None
        self.rows = 0

    async def begin(self) -> None:
        """Open the partition's transaction."""
        self._connection: Connection = await self._pool.acquire()
        self._transaction = self._connection.transaction()
        await self._transaction.start()

    async def add(self, executions: Sequence[ExecutionState], visits: Sequence[Visit]) -> None:
        """Take final rows; now and then some go out while the caller folds on."""
        self._executions += map(EXECUTIONS.row, executions)
        self._visits += map(VISITS.row, visits)
        if len(self._executions) + len(self._visits) >= COPY_ROWS:
            await self._copy_aside()

    async def add_copied(self, visits: CopyRows) -> None:
        """Take final rows of visits as they are written, once enough of them are there."""
        if visits.count >= COPY_ROWS:
            await self._copy_aside(visits)

    async def sides(self, changes: Changes) -> None:
        """Write what changes besides executions and visits."""
        changes.executions, changes.visits = {}, {}
        with store_errors():
            async with self._pool.acquire() as connection, connection.transaction():
                await write_rows(connection, changes, copy=False)

    async def defer(self, records: Sequence[tuple[int, str | None, int | None, RawRecord]]) -> None:
        """Keep records (offset, execution, epoch in force, bytes) that are judged at the end."""
        rows = [
            (self._partition, offset, execution_id, epoch, raw.key, raw.value, raw.headers)
            for offset, execution_id, epoch, raw in records
        ]
        await self._settled()
        with store_errors():
            await self._connection.copy_records_to_table(
                "deferred_records",
                records=[(*row[:-1], headers_text(row[-1])) for row in rows],
                columns=(*_DEFERRED, "record_headers"),
            )

    async def spill(self, states: Sequence[ExecutionState]) -> None:
        """Keep states of executions that go on for later, out of memory."""
        await self._settled()
        records = [
            (state.execution_id, self._partition, msgspec.msgpack.encode(state)) for state in states
        ]
        with store_errors():
            await self._connection.copy_records_to_table("spilled_executions", records=records)

    async def recall(self, execution_ids: Sequence[str]) -> list[ExecutionState]:
        """Take back those of the states that were spilled."""
        await self._settled()
        with store_errors():
            rows = await self._connection.fetch(
                "DELETE FROM spilled_executions WHERE execution_id = ANY($1::text[]) "
                "RETURNING state",
                execution_ids,
            )
        return [_states.decode(row[0]) for row in rows]

    async def recall_some(self) -> list[ExecutionState]:
        """Take back a page of what is still spilled of this partition."""
        await self._settled()
        with store_errors():
            rows = await self._connection.fetch(
                "DELETE FROM spilled_executions WHERE execution_id IN (SELECT execution_id FROM "
                f"spilled_executions WHERE partition = $1 LIMIT {SPILL_PAGE}) RETURNING state",
                self._partition,
            )
        return [_states.decode(row[0]) for row in rows]

    async def commit(
        self,
        topic: str,
        next_offset: int,
        epoch: int | None,
        visits: CopyRows,
        last_record: str | None = None,
    ) -> None:
        """Write what waits, and with it how far the partition is built."""
        await self._copy_aside(visits)
        await self._settled()
        with store_errors():
            await self._connection.execute(
                "INSERT INTO projection_positions "
                "(topic, partition, next_offset, epoch, last_record) VALUES ($1, $2, $3, $4, $5)",
                topic,
                self._partition,
                next_offset,
                epoch,
                last_record,
            )
            await self._connection.execute(
                "UPDATE rebuild_targets SET built = true WHERE partition = $1", self._partition
            )
            await self._transaction.commit()
        await self._pool.release(self._connection)

    async def _settled(self) -> None:
        copying, self._copying = self._copying, None
        if copying is not None:
            await copying

    async def _copy_aside(self, copied: CopyRows | None = None) -> None:
        """Begin to send what there is, and wait for what is on its way before."""
        await self._settled()
        executions, self._executions = self._executions, []
        visits, self._visits = self._visits, []
        self.rows += len(executions) + len(visits)
        written = b""
        if copied is not None:
            self.rows += copied.count
            written = copied.taken()
        self._copying = asyncio.create_task(self._copy(executions, visits, written))

    async def _copy(self, executions: Rows, visits: Rows, written: bytes) -> None:
        with store_errors():
            for table, rows in ((EXECUTIONS, executions), (VISITS, visits)):
                if rows:
                    await self._connection.copy_records_to_table(
                        table.name, records=rows, columns=table.names
                    )
            if written:
                await self._connection.copy_to_table(
                    VISITS.name,
                    source=_pieces(HEADER, written, TRAILER),
                    columns=VISITS.names,
                    format="binary",
                )


async def _pieces(*pieces: bytes) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece
