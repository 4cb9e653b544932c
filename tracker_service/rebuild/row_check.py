"""A few executions checked against the log: folded again, compared, and replaced if need be."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from tracker_service.log.events_log import EventsLog, LogRemoved
from tracker_service.projections.batch_fold import BatchFold, FoldFactory
from tracker_service.projections.row_changes import Changes
from tracker_service.rebuild.refold import MAX_STRETCH_RECORDS, Refold
from tracker_service.store.postgres.errors import store_errors
from tracker_service.store.postgres.pool import Connection
from tracker_service.store.postgres.shadow import compare, replace, swap, temporary
from tracker_service.store.postgres.shadow.compare import Difference, Tally
from tracker_service.store.postgres.shadow.dead_letters import letter_statuses
from tracker_service.store.postgres.shadow.replace import OWN_TABLES, Place
from tracker_service.store.postgres.shadow.temporary import TEMPORARY
from tracker_service.store.postgres.store import live_positions, write_rows


@dataclass(slots=True)
class Checked:
    """What a check found. `left_out`: executions that were written to meanwhile, whose stretch of
    the log is too long, or whose beginning the log has lost."""

    executions: int = 0
    differing: list[str] = field(default_factory=list)
    repaired: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    tally: Tally = field(default_factory=lambda: Tally({}, {}))
    examples: list[Difference] = field(default_factory=list)

    def add(self, other: "Checked") -> None:
        """Take in what another page's check found."""
        self.executions += other.executions
        self.differing += other.differing
        self.repaired += other.repaired
        self.left_out += other.left_out
        self.tally = self.tally.plus(other.tally)
        self.examples += other.examples


@dataclass(slots=True)
class Checker:
    """Checks executions a page at a time, over one connection of its own; see `checker`."""

    connection: Connection
    live: str
    log: EventsLog
    topic: str
    make_fold: FoldFactory = BatchFold
    max_records: int = MAX_STRETCH_RECORDS

    async def check(
        self, execution_ids: Sequence[str], *, max_examples: int, repair: bool = False
    ) -> Checked:
        """Compare the live rows of executions with the log; with `repair`, write what it says.

        Raises:
            StoreError: the database can't answer.
            LogUnreachable: the log can't.
        """
        with store_errors():
            await temporary.empty(self.connection)
            places, refold = await self._moment(execution_ids, thorough=repair)
            checked, folded = Checked(), Changes()
            for execution_id in execution_ids:
                changes = await _changes(refold, execution_id, places.get(execution_id))
                if changes is None:
                    checked.left_out.append(execution_id)
                    continue
                folded.add(changes)
                checked.executions += 1
            known = sorted(set(execution_ids) - set(checked.left_out))
            await write_rows(self.connection, folded, copy=False)
            await self._compare(known, places, checked)
            checked.tally = await compare.tally(self.connection, TEMPORARY)
            checked.differing = await replace.differing(self.connection, TEMPORARY)
            checked.examples = await compare.examples(
                self.connection, self.live, TEMPORARY, max_examples
            )
        if repair and checked.differing:
            await self._repair(checked, places, refold)
        return checked

    async def _moment(
        self, execution_ids: Sequence[str], *, thorough: bool
    ) -> tuple[dict[str, Place], Refold]:
        """Return places, positions and decisions as they stood at one moment."""
        bounds = await self.log.bounds()
        async with self.connection.transaction(isolation="repeatable_read"):
            places = await replace.places(self.connection, self.live, execution_ids)
            positions = await live_positions(self.connection, self.topic)
            decisions = await letter_statuses(self.connection, self.live, self.topic)
        refold = Refold(
            self.log, bounds, positions, decisions, self.make_fold, self.max_records, thorough
        )
        return places, refold

    async def _compare(
        self, execution_ids: Sequence[str], places: Mapping[str, Place], checked: Checked
    ) -> None:
        async with self.connection.transaction(isolation="repeatable_read"):
            now = await replace.places(self.connection, self.live, execution_ids)
            still = [name for name in execution_ids if now.get(name) == places.get(name)]
            moved = sorted(set(execution_ids) - set(still))
            checked.left_out += moved
            checked.executions -= len(moved)
            await self.connection.execute(
                f"INSERT INTO {TEMPORARY}.scope SELECT unnest($1::text[])",
                still,
            )
            await compare.compare_scope(self.connection, self.live, TEMPORARY, OWN_TABLES)

    async def _repair(self, checked: Checked, places: Mapping[str, Place], refold: Refold) -> None:
        async def write() -> list[str]:
            now = await replace.places(self.connection, self.live, checked.differing)
            still = [name for name in checked.differing if now.get(name) == places.get(name)]
            await replace.replace(self.connection, self.live, TEMPORARY, still)
            await replace.bump_generations(
                self.connection, self.live, self.topic, list(refold.positions)
            )
            return still

        checked.repaired = await swap.with_writers_paused(self.connection, self.live, write)


async def _changes(refold: Refold, execution_id: str, place: Place | None) -> Changes | None:
    try:
        return await refold.changes(execution_id, place)
    except LogRemoved:
        return None


@asynccontextmanager
async def checker(
    database_url: str, log: EventsLog, topic: str, make_fold: FoldFactory = BatchFold
) -> AsyncIterator[Checker]:
    """Yield a checker; nothing of it stays in the database but what a repair writes."""
    async with temporary.temporary_shadow(database_url) as (connection, live):
        yield Checker(connection, live, log, topic, make_fold)
