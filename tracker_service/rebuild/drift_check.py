"""The tracker's own check that the rows say what the log says: a few executions now and then.

It costs little, whatever the log's size: a few executions each time, each from its own stretch of
the log, and none whose stretch is long. What differs is looked at twice before it is told, and
again each time until it is put right.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import structlog

from tracker_service.log.events_log import EventsLog
from tracker_service.rebuild.row_check import Checked, Checker, checker
from tracker_service.store.postgres.shadow import drift
from tracker_service.store.postgres.shadow.sample import a_few_ended
from tracker_service.store.postgres.shadow.temporary import TEMPORARY

log = structlog.get_logger(__name__)

# Records read for one execution: some tenths of a second of this process's time, in small pieces.
MAX_STRETCH_RECORDS: Final = 20_000


@dataclass(slots=True)
class DriftCheck:
    """One check of `sample` executions; `any_id` returns an id to begin at, by chance."""

    database_url: str
    log: EventsLog
    topic: str
    sample: int
    any_id: Callable[[], str]

    async def run(self) -> Checked:
        """Check a few executions, write down and tell what differs.

        Raises:
            TrackerError: log or rows can't be read now.
        """
        async with checker(self.database_url, self.log, self.topic) as found:
            found.max_records = MAX_STRETCH_RECORDS
            names = await self._chosen(found)
            checked = await found.check(names, max_examples=1)
            if checked.differing:
                # Whatever was written between reading log and rows is not there a second time.
                again = await found.check(checked.differing, max_examples=1)
                checked.differing, checked.examples = again.differing, again.examples
            rows = await drift.differing_rows(found.connection, TEMPORARY)
            looked_at = sorted(set(names) - set(checked.left_out))
            await drift.note(found.connection, found.live, self.topic, looked_at, rows)
        self._tell(checked)
        return checked

    async def _chosen(self, found: Checker) -> list[str]:
        known = await drift.known_drifted(found.connection, found.live, self.topic)
        some = await a_few_ended(found.connection, found.live, self.sample, self.any_id())
        return sorted({*known, *some})

    def _tell(self, checked: Checked) -> None:
        if not checked.differing:
            return
        example = checked.examples[0] if checked.examples else None
        log.error(
            "rows differ from the log",
            executions=checked.differing,
            table=None if example is None else example.table,
            columns=None if example is None else sorted(example.columns),
            remedy="steplog verify --all --repair",
        )
