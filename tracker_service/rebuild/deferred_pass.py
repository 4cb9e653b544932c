"""Deferred records taken from their table, judged, and their outcome written, page by page."""

from collections.abc import Sequence

from steplog_contracts.epoch import EpochRule
from tracker_service.projections.batch_fold import FoldFactory
from tracker_service.projections.record_header import read_heading
from tracker_service.projections.row_changes import SetAside
from tracker_service.rebuild.deferred_outcome import Decisions, DeferredRecord, Judged, mend
from tracker_service.rebuild.errors import RebuildStopped
from tracker_service.store.postgres.pool import Connection
from tracker_service.store.postgres.shadow import deferred, ledger
from tracker_service.store.postgres.shadow.dead_letters import letter_statuses
from tracker_service.store.postgres.shadow.ledger import Stage


async def judge_deferred(
    connection: Connection, topic: str, live: str, make_fold: FoldFactory, *, lenient: bool
) -> None:
    """Judge everything that was deferred, in one transaction with the stage that follows.

    Raises:
        RebuildStopped: an event can't be applied and is no dead letter of the live rows.
    """
    async with connection.transaction():
        decisions = await letter_statuses(connection, live, topic)
        judge = _Judge(connection, topic, decisions, make_fold, lenient=lenient)
        await judge.without_execution()
        page = await deferred.next_page(connection, "")
        while page:
            await judge.page(page)
            page = await deferred.next_page(connection, page[-1])
        await ledger.reached(connection, Stage.FOLLOWING)


class _Judge:
    def __init__(
        self,
        connection: Connection,
        topic: str,
        decisions: Decisions,
        make_fold: FoldFactory,
        *,
        lenient: bool,
    ) -> None:
        self._connection = connection
        self._topic = topic
        self._decisions = decisions
        self._make_fold = make_fold
        self._lenient = lenient

    async def page(self, names: Sequence[str]) -> None:
        """Judge some executions' records."""
        loaded = await deferred.states_of(self._connection, names)
        for name in names:
            records = await self._records(name)
            state = loaded.states.get(name)
            judged = mend(records, state, self._decisions, self._make_fold)
            await deferred.write_changes(self._connection, judged.changes)
            await self._keep(records, judged)

    async def without_execution(self) -> None:
        """Keep as letters what belongs to no execution; its partition's build has judged it."""
        records = await self._records(None)
        fold = self._make_fold(0, {}, set(), EpochRule())
        for record in records:
            fold.epoch = EpochRule(record.epoch)
            fold.take(read_heading(record))
        await self._keep(records, Judged(fold.changes, fold.changes.set_aside))

    async def _records(self, name: str | None) -> list[DeferredRecord]:
        rows = await deferred.records_of(self._connection, name)
        return [DeferredRecord(*row) for row in rows]

    async def _keep(self, records: Sequence[DeferredRecord], judged: Judged) -> None:
        by_offset = {record.offset: record for record in records}
        for letter in judged.letters:
            record = by_offset[letter.offset]
            self._check(record, letter)
            await deferred.write_letters(
                self._connection, self._topic, record.partition, [(letter, record.raw)]
            )

    def _check(self, record: DeferredRecord, letter: SetAside) -> None:
        place = (record.partition, record.offset)
        if not (letter.parked or self._lenient or place in self._decisions):
            raise RebuildStopped(
                f"The event at partition {record.partition}, offset {record.offset} of "
                f"{self._topic} can't be applied: {letter.reason} Nothing has been changed; "
                "upgrade or mend what wrote it, or set it aside with --set-aside."
            )
