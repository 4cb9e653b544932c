"""A whole rebuild, from the first look to the swap.

Copy every partition, build the indexes, judge what was deferred, follow the live rows until little
is missing, compare all, and swap. Until the swap commits, nothing that lives is touched; each stage
can be broken off anywhere and is taken up, or done again, by the next rebuild.
"""

import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import timedelta

from tracker_service.log.kafka_consumer import read_bounds
from tracker_service.log.kafka_events_log import KafkaEventsLog
from tracker_service.rebuild import plan
from tracker_service.rebuild.build_pool import build_all
from tracker_service.rebuild.build_worker import BuildOrder, fold_named
from tracker_service.rebuild.cutover import Finish
from tracker_service.rebuild.deferred_pass import judge_deferred
from tracker_service.rebuild.errors import RebuildBusy
from tracker_service.rebuild.log_reader import span_reader
from tracker_service.rebuild.lost_log import find_lost
from tracker_service.rebuild.request import RebuildRequest, Report, Unwatched, Watcher
from tracker_service.store.postgres.errors import store_errors
from tracker_service.store.postgres.migrations_runner import check
from tracker_service.store.postgres.pool import Connection, Pool, open_pool
from tracker_service.store.postgres.shadow import ledger, preflight, schema
from tracker_service.store.postgres.shadow.ledger import Stage
from tracker_service.store.postgres.store import live_positions

CONNECTIONS = 4
# Between an event's own time and the time the broker finds its record by.
CLOCK_SLACK = timedelta(minutes=1)


class Rebuild:
    """One rebuild as ordered; `run` it once."""

    def __init__(self, order: RebuildRequest, watcher: Watcher | None = None) -> None:
        self._order = order
        self._watcher = watcher or Unwatched()
        self.report = Report()

    async def run(self) -> Report:
        """Return what was done and found.

        Raises:
            RebuildRefused: nothing has been changed; the text says what can be done.
            StoreError: the database could not go on; what is built is taken up the next time.
        """
        async with _pool(self._order) as live, _pool(self._order, self._order.schema) as shadow:
            await check(live)
            async with live.acquire() as guard:
                with store_errors():
                    await self._prepare(guard, shadow)
                    await self._build(shadow)
                    await self._finish(live, guard)
        return self.report

    async def _prepare(self, guard: Connection, shadow: Pool) -> None:
        order = self._order
        if not await ledger.take_lock(guard):
            raise RebuildBusy("Another rebuild works on these rows; wait for it, or stop it.")
        self._live = await preflight.live_schema(guard)
        await preflight.check_rights(guard, self._live)
        if order.swaps:
            await preflight.check_views(guard, self._live)
        self.report.live_projection = await preflight.projection_version(guard)
        positions = await live_positions(guard, order.topic)
        bounds = await read_bounds(order.bootstrap_servers, order.topic)
        begins = None
        if order.since is not None:
            log = KafkaEventsLog(order.bootstrap_servers, order.topic)
            begins = await log.offsets_at(order.since - CLOCK_SLACK)
        lost = {} if order.windowed or not positions else await find_lost(guard, order, bounds.ends)
        self.report.lost = lost
        targets = plan.targets_for(order.topic, bounds, positions, begins, lost)
        await plan.check_room(guard, self._live, targets, order)
        async with shadow.acquire() as connection:
            self.report.taken_up = await plan.open_shadow(connection, order, targets, lost)

    async def _build(self, shadow: Pool) -> None:
        async with shadow.acquire() as connection:
            targets = await ledger.targets(connection)
            self.report.events = sum(t.end - t.begin for t in targets.values())
            spans = plan.spans_of(self._order.topic, targets)
            self._watcher.spans(spans, self.report.taken_up)
            stage = await ledger.stage(connection)
            if stage is Stage.COPYING:
                with self._timed("copying"):
                    await build_all(
                        self._build_order(),
                        list(spans.values()),
                        self._watcher.progress,
                        self._order.processes,
                    )
                await ledger.reached(connection, stage := Stage.INDEXING)
            if stage is Stage.INDEXING:
                with self._timed("indexing"):
                    await schema.index(shadow)
                await ledger.reached(connection, stage := Stage.MENDING)
            if stage is Stage.MENDING:
                with self._timed("mending"):
                    await judge_deferred(
                        connection,
                        self._order.topic,
                        self._live,
                        fold_named(self._order.fold),
                        lenient=self._order.lenient,
                    )

    async def _finish(self, live: Pool, guard: Connection) -> None:
        async with span_reader(self._order.bootstrap_servers) as reader:
            finish = Finish(self._order, self._live, reader, live, guard, self.report)
            async with finish.store():
                if self._order.windowed:
                    with self._timed("comparing"):
                        await finish.settle_window()
                    return
                with self._timed("following"):
                    await finish.follow()
                with self._timed("comparing"):
                    await finish.compare()
                    await finish.count_vanishing()
                if self._order.swaps:
                    with self._timed("swapping"):
                        await finish.swap()
                else:
                    await finish.settle()

    def _build_order(self) -> BuildOrder:
        order = self._order
        return BuildOrder(
            order.bootstrap_servers,
            order.database_url,
            order.topic,
            self._live,
            order.schema,
            order.fold,
            order.lenient,
            None if order.since is None else order.since.isoformat(),
            None if order.until is None else order.until.isoformat(),
        )

    @contextmanager
    def _timed(self, stage: str) -> Iterator[None]:
        self._watcher.stage(stage)
        began_s = time.monotonic()
        yield
        self.report.seconds[stage] = time.monotonic() - began_s


async def drop_old(database_url: str) -> list[str]:
    """Drop what earlier rebuilds replaced; return the schemas dropped."""
    pool = await open_pool(
        database_url,
        max_connections=1,
        application="steplog-rebuild",
        statement_timeout_s=None,
    )
    try:
        with store_errors():
            async with pool.acquire() as connection:
                names = await schema.old_schemas(connection)
                for name in names:
                    await schema.drop(connection, name)
                return names
    finally:
        pool.terminate()


@asynccontextmanager
async def _pool(order: RebuildRequest, schema_name: str | None = None) -> AsyncIterator[Pool]:
    pool = await open_pool(
        order.database_url,
        max_connections=CONNECTIONS,
        application="steplog-rebuild",
        schema=schema_name,
        statement_timeout_s=None,
    )
    try:
        yield pool
    finally:
        pool.terminate()
