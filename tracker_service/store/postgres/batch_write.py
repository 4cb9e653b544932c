"""Steps of several partitions written as one statement.

It is the quick way for steps that change nothing but executions and visits, which most do. Where it
fails for the rows' sake, each step is tried alone, and after that in a transaction of its own.
"""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from typing import Any, Final

from tracker_service.store.errors import RowsRejected, StoreError
from tracker_service.store.postgres import statements as sql
from tracker_service.store.postgres.errors import store_errors
from tracker_service.store.postgres.pool import Pool
from tracker_service.store.postgres.write_batcher import WriteBatcher
from tracker_service.store.sql.columns import Table
from tracker_service.store.sql.tables import EXECUTIONS, VISITS
from tracker_service.store.write_port import Advance

# Rows from which a statement is full; so many may be under way at once, so that the database writes
# while the next batches are folded.
FULL_ROWS: Final = 1000
FLUSHES_AT_ONCE: Final = 4

Rows = list[Sequence[Any]]


class BatchWriter:
    """Writes steps, those that come close together as one; `alone` is the way of last resort."""

    def __init__(
        self, pool: Callable[[], Pool], alone: Callable[[Advance], Awaitable[bool]]
    ) -> None:
        self._pool = pool
        self._alone = alone
        self._gathering = WriteBatcher[Advance, bool](
            self._write_group, full_weight=FULL_ROWS, most_at_once=FLUSHES_AT_ONCE
        )

    async def write(self, step: Advance, rows: int) -> bool:
        """Write one step, with others or alone; False if its position is elsewhere."""
        return await self._gathering.call(step, rows)

    async def _write_group(self, steps: Sequence[Advance]) -> Sequence[bool | Exception]:
        # Two of one partition can only come from two workers in one process; one of them is late.
        if len({(step.topic, step.partition) for step in steps}) == len(steps) > 1:
            with suppress(RowsRejected):
                if await self._write_together(steps):
                    return [True] * len(steps)
        return [await self._write_one(step) for step in steps]

    async def _write_one(self, step: Advance) -> bool | StoreError:
        try:
            with suppress(RowsRejected):
                return await self._write_together([step])
            return await self._alone(step)
        except StoreError as error:
            return error

    async def _write_together(self, steps: Sequence[Advance]) -> bool:
        with store_errors():
            async with self._pool().acquire() as connection:
                written = await connection.fetchval(
                    sql.ADVANCE,
                    steps[0].topic,
                    *zip(*(claim(step)[1:] for step in steps), strict=True),
                    *_new_and_changed(EXECUTIONS, *_split_executions(steps)),
                    *_new_and_changed(VISITS, *_split_visits(steps)),
                )
        return written is not None


def claim(step: Advance) -> tuple[Any, ...]:
    """Return the arguments that move a position."""
    before = step.before
    return (
        step.topic,
        step.partition,
        before.next_offset,
        before.generation,
        step.next_offset,
        step.epoch,
        step.last_event_at,
        step.end_offset or 0,
        step.last_record,
    )


def arrays(table: Table[Any], rows: Rows) -> list[Sequence[Any]]:
    """Return rows as one array per column.

    A column of nothing but nulls is an empty array, which `unnest` fills up with nulls: in most
    batches that spares a third of all values.
    """
    columns = zip(*rows, strict=True) if rows else ((),) * len(table.columns)
    return [() if column.count(None) == len(column) else column for column in columns]


# Within a step rows are sorted by key, so that pages are touched in order.


def _split_executions(steps: Iterable[Advance]) -> tuple[Rows, Rows]:
    new: Rows = []
    changed: Rows = []
    for step in steps:
        for _, state in sorted(step.changes.executions.items()):
            rows = changed if state.beginning is None else new
            rows.append(EXECUTIONS.row(state))
    return new, changed


def _split_visits(steps: Iterable[Advance]) -> tuple[Rows, Rows]:
    new: Rows = []
    changed: Rows = []
    for step in steps:
        for _, visit in sorted(step.changes.visits.items()):
            rows = changed if visit.stored else new
            rows.append(VISITS.row(visit))
    return new, changed


def _new_and_changed(table: Table[Any], new: Rows, changed: Rows) -> list[Sequence[Any]]:
    columns = zip(table.columns, arrays(table, changed), strict=True)
    needed = sql.changeable(table)
    return [*arrays(table, new), *(array for column, array in columns if column in needed)]
