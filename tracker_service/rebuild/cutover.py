"""The end of a rebuild: follow the live rows, compare, and swap while writers wait a moment.

What is compared once stays compared: whatever either side writes afterwards comes from the log, so
only executions named by records applied since are compared again, under the lock at last exactly.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime

from tracker_service.projections.record_header import LogRecord, read_heading
from tracker_service.projector.projector import HoleInLog, Projector
from tracker_service.projector.store_retry import Pacing, StoppedWaiting
from tracker_service.rebuild.build_worker import fold_named
from tracker_service.rebuild.errors import RebuildRefused
from tracker_service.rebuild.log_reader import SpanReader
from tracker_service.rebuild.lost_log import refuse_unless_allowed, vanishing
from tracker_service.rebuild.request import MAX_EXAMPLES, MAX_LISTED, RebuildRequest, Report
from tracker_service.store.errors import StoreUnavailable
from tracker_service.store.postgres.pool import Connection, Pool
from tracker_service.store.postgres.shadow import (
    compare,
    dead_letters,
    ledger,
    replace,
    schema,
    swap,
)
from tracker_service.store.postgres.shadow.replace import OWN_AND_REFUSED, OWN_TABLES
from tracker_service.store.postgres.store import PostgresStore, live_positions
from tracker_service.store.write_port import Position

RUN_RECORDS = 1000
# Rows that differ up to which they are counted again while writers wait; it takes milliseconds.
MAX_RECOUNTED = 10_000
# Rounds of following in which little must be left, before the log is said to grow too fast.
MAX_ROUNDS = 12
# Of the pause allowed, what the last round before it may take: the rest is for locks and renaming.
ROUND_SHARE = 0.4
MAX_SWAP_ATTEMPTS = 20
MAX_READER_ATTEMPTS = 5
ATTEMPT_DELAY_S = 0.1


class Finish:
    """Works on shadow tables whose past is complete."""

    def __init__(
        self,
        order: RebuildRequest,
        live_schema: str,
        reader: SpanReader,
        live: Pool,
        guard: Connection,
        report: Report,
    ) -> None:
        self._order = order
        self._live_schema = live_schema
        self._reader = reader
        self._live = live
        self._guard = guard
        self._report = report
        self._touched: set[str] = set()  # Named by events applied since rows were compared.
        self._judged: set[str] = set()  # Compared the last time.
        self._compared = False
        self._store = PostgresStore(order.database_url, max_connections=4, schema=order.schema)

    @asynccontextmanager
    async def store(self) -> AsyncIterator[None]:
        """Open the shadow tables' own store for as long as this lasts."""
        await self._store.open()
        try:
            self._projector = Projector(
                self._store,
                self._order.topic,
                Pacing(lambda: True),
                fold_named(self._order.fold),
            )
            partitions = list(await live_positions(self._guard, self._order.topic))
            known = await self._store.positions(self._order.topic, partitions)
            begins = {partition: position.next_offset for partition, position in known.items()}
            self._tail = self._reader.tail(self._order.topic, begins)
            yield
        finally:
            await self._store.close()

    async def follow(self) -> None:
        """Apply what the live rows have and the shadow rows don't, until a round is short.

        Raises:
            RebuildRefused: the live rows move on faster than this can follow.
        """
        allowed_s = self._order.max_pause_s * ROUND_SHARE
        applied, took_s = 0, 0.0
        for _ in range(MAX_ROUNDS):
            began_s = time.monotonic()
            applied = await self._round()
            took_s = time.monotonic() - began_s
            if took_s <= allowed_s:
                return
        raise RebuildRefused(
            f"The log grows faster than this can follow: the last {applied} events took "
            f"{took_s:.1f} s, after {MAX_ROUNDS} rounds. Run it again when there is less to do, or "
            f"allow the tracker to pause for the rest with `--max-pause {2 * took_s + 1:.0f}`. "
            "Nothing has been changed."
        )

    async def compare(self) -> None:
        """Compare every row; then, as the live rows move on, what moved."""
        await compare.compare_all(self._guard, self._live_schema, self._order.schema)
        self._compared = True
        await self.follow()
        # Counted here, where nobody waits: under the lock only what is few is counted again.
        await self._count_rows()
        await self._count_differences()

    async def count_vanishing(self) -> None:
        """Count what the log lost; raise `RebuildRefused` if more would vanish than may."""
        report = self._report
        report.vanishing = await vanishing(
            self._guard, self._live_schema, self._order.schema, report.lost
        )
        if self._order.swaps:
            refuse_unless_allowed(self._order, report.vanishing)

    async def settle(self) -> None:
        """End a rebuild that swaps nothing: judge at one moment, keep or drop the tables."""
        await swap.with_writers_paused(self._guard, self._live_schema, self._settle_once)
        async with self._live.acquire() as connection:
            if self._order.keeps:
                await schema.vacuum_again(connection, self._order.schema)
                self._report.kept_schema = self._order.schema
            else:
                await schema.drop(connection, self._order.schema)

    async def _settle_once(self) -> None:
        positions = await live_positions(self._guard, self._order.topic)
        await self._judge(positions)
        await self._write_differing(positions)

    async def _write_differing(self, positions: Mapping[int, Position]) -> None:
        report, schema_name = self._report, self._order.schema
        report.differing = await replace.differing(self._guard, schema_name, MAX_LISTED)
        if self._order.repairs:
            names = await replace.differing(self._guard, schema_name)
            await replace.replace(
                self._guard, self._live_schema, schema_name, names, OWN_AND_REFUSED
            )
            await replace.bump_generations(
                self._guard, self._live_schema, self._order.topic, positions
            )
            report.repaired = names[:MAX_LISTED]

    async def settle_window(self) -> None:
        """End a rebuild of what began in a window: compare that, and replace what differs."""
        order = self._order
        self._report.left_out = await compare.scope_window(
            self._guard, self._live_schema, order.schema, order.since, order.until
        )
        await compare.compare_scope(self._guard, self._live_schema, order.schema, OWN_TABLES)
        await self._count_rows()
        await swap.with_writers_paused(self._guard, self._live_schema, self._window_once)
        async with self._live.acquire() as connection:
            await schema.drop(connection, self._order.schema)

    async def _window_once(self) -> None:
        positions = await live_positions(self._guard, self._order.topic)
        await self._check_decisions(positions)
        self._report.left_out += await compare.scope_differing(
            self._guard, self._live_schema, self._order.schema
        )
        await compare.compare_scope(self._guard, self._live_schema, self._order.schema, OWN_TABLES)
        await self._count_differences()
        await self._write_differing(positions)

    async def swap(self) -> None:
        """Swap; from here on the live tables are the ones built here."""
        await swap.copy_rights(self._guard, self._live_schema, self._order.schema)
        await swap.end_autovacuum(self._guard, self._live_schema)
        for attempt in range(MAX_SWAP_ATTEMPTS):
            try:
                if await self._swap_once():
                    return
            except StoreUnavailable:
                if attempt + 1 == MAX_SWAP_ATTEMPTS:
                    raise
            await self._wait(attempt)
        raise RebuildRefused(
            "Somebody reads the live tables in queries too long to wait for; end them (see "
            "pg_stat_activity), or allow a longer pause with `--max-pause`, and run this again: "
            "it goes on from here. Nothing has been changed."
        )

    async def _swap_once(self) -> bool:
        old = f"{schema.OLD_PREFIX}{datetime.now(UTC):%Y%m%dt%H%M%S%f}"
        async with swap.undone_unless_true(self._guard, self._live_schema) as outcome:
            began_s = time.monotonic()
            positions = await live_positions(self._guard, self._order.topic)
            await self._check_decisions(positions)
            await self._judge(positions)
            if not await self._hold_readers(began_s):
                return False
            await swap.swap(
                self._guard, self._order.topic, self._live_schema, self._order.schema, old
            )
            outcome.append(True)
        self._report.pause_ms = (time.monotonic() - began_s) * 1000
        self._report.swapped, self._report.old_schema = True, old
        return True

    async def _hold_readers(self, began_s: float) -> bool:
        for _ in range(MAX_READER_ATTEMPTS):
            if await swap.hold_readers(self._guard, self._live_schema):
                return True
            if time.monotonic() - began_s > self._order.max_pause_s:
                return False
            await asyncio.sleep(ATTEMPT_DELAY_S)
        return False

    async def _judge(self, positions: Mapping[int, Position]) -> None:
        """Bring the shadow rows to exactly these positions and count what differs then."""
        await self._apply_up_to(positions)
        await self._compare_touched()
        if self._report.tally.total <= MAX_RECOUNTED:
            await self._count_differences()
        self._report.new_letters = await dead_letters.unknown_letters(
            self._guard, self._order.topic, self._live_schema, self._order.schema
        )

    async def _count_differences(self) -> None:
        self._report.tally = await compare.tally(self._guard, self._order.schema)
        self._report.examples = await compare.examples(
            self._guard, self._live_schema, self._order.schema, MAX_EXAMPLES
        )

    async def _count_rows(self) -> None:
        counts = await self._guard.fetch(compare.counted_rows(self._order.schema))
        self._report.executions, self._report.rows = counts[0][0], sum(counts[0])

    async def _check_decisions(self, positions: Mapping[int, Position]) -> None:
        async with self._store.pool.acquire() as connection:
            targets = await ledger.targets(connection)
        if any(position.lost and p not in self._report.lost for p, position in positions.items()):
            raise RebuildRefused(
                "The log lost records while this ran; run it again. Nothing has been changed."
            )
        known = {p: position.generation for p, position in positions.items()}
        if any(known.get(p, 0) != target.generation for p, target in targets.items()):
            raise RebuildRefused(
                "Dead letters were retried or skipped, or rows repaired, while this ran; run it "
                "again to take that in. Nothing has been changed."
            )

    async def _round(self) -> int:
        applied = await self._apply_up_to(await live_positions(self._guard, self._order.topic))
        await self._compare_touched()
        return applied

    async def _compare_touched(self) -> None:
        if self._compared:
            self._judged, self._touched = self._touched, set()
            names = sorted(self._judged)
            await compare.compare_some(self._guard, self._live_schema, self._order.schema, names)

    async def _apply_up_to(self, positions: Mapping[int, Position]) -> int:
        applied = 0
        # Of a log that lost records all there was has been copied; live workers follow later.
        ends = {p: at.next_offset for p, at in positions.items() if p not in self._report.lost}
        async for runs in self._tail.runs(ends, RUN_RECORDS):
            await asyncio.gather(*(self._apply(partition, run) for partition, run in runs.items()))
            applied += sum(map(len, runs.values()))
        return applied

    async def _apply(self, partition: int, records: Sequence[LogRecord]) -> None:
        if self._compared:
            names = (read_heading(record).execution_id for record in records)
            self._touched.update(name for name in names if name is not None)
        try:
            await self._projector.apply(partition, records)
        except (StoppedWaiting, HoleInLog) as error:
            raise RebuildRefused(f"{error} Nothing has been changed; run this again.") from error

    async def _wait(self, attempt: int) -> None:
        # What was compared in the transaction that was given up is not known any more.
        self._touched |= self._judged
        await asyncio.sleep(ATTEMPT_DELAY_S * (attempt + 1))
        await self.follow()
