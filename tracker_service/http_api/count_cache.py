"""Counts of everything, kept for a moment: counting a million rows takes longer than an answer may.

A tally is counted anew at most once a second and in at most a twentieth of the time, by one caller
for all; answers say when it was counted. Statuses of executions that go on are counted fresh.
"""

import asyncio
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from tracker_service.store.queries import ExecutionFilter
from tracker_service.store.read_port import ReadModel

FRESH_S: Final = 1.0
SHARE_OF_TIME: Final = 20
MAX_TALLIES: Final = 100


@dataclass(frozen=True, slots=True)
class Counted:
    """Executions by status. Not `exact`: some are lower bounds, or were counted a moment ago."""

    by_status: dict[str, int]
    exact: bool
    at_least: tuple[str, ...] = ()
    counted_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class _Tally:
    by_status: dict[str, int]
    counted_at: datetime
    good_until_s: float


class CountCache:
    """Counts under a filter: exact where they are small, from a tally where one answers them."""

    def __init__(self, model: ReadModel) -> None:
        self._model = model
        self._kept: dict[str | None, _Tally] = {}
        self._counting: dict[str | None, asyncio.Task[_Tally]] = {}

    async def count(self, wanted: ExecutionFilter) -> Counted:
        """Return executions by status."""
        found = await self._model.counts(wanted)
        by_status = dict(found.by_status)
        if not found.at_least:
            return Counted(by_status, exact=True)
        if not wanted.only_by_pipeline:
            return Counted(by_status, exact=False, at_least=tuple(sorted(found.at_least)))
        tally = await self._tally(wanted.pipeline_id)
        for status in found.at_least:
            by_status[status] = max(by_status[status], tally.by_status.get(status, 0))
        return Counted(by_status, exact=False, counted_at=tally.counted_at)

    async def _tally(self, pipeline_id: str | None) -> _Tally:
        kept = self._kept.get(pipeline_id)
        if kept is not None and time.monotonic() < kept.good_until_s:
            return kept
        counting = self._counting.get(pipeline_id)
        if counting is None:
            counting = asyncio.create_task(self._count(pipeline_id))
            self._counting[pipeline_id] = counting
            counting.add_done_callback(lambda done: self._counted(pipeline_id, done))
        # Nobody waits for a new one while there is an old one.
        return kept if kept is not None else await asyncio.shield(counting)

    def _counted(self, pipeline_id: str | None, done: "asyncio.Task[_Tally]") -> None:
        del self._counting[pipeline_id]
        # Where an old tally was given nobody awaits this one; after an error the next caller tries.
        if not done.cancelled():
            done.exception()

    async def _count(self, pipeline_id: str | None) -> _Tally:
        began_s = time.monotonic()
        by_status = dict(await self._model.tally(pipeline_id))
        took_s = time.monotonic() - began_s
        good_until_s = began_s + max(FRESH_S, SHARE_OF_TIME * took_s)
        tally = _Tally(by_status, datetime.now(UTC), good_until_s)
        if len(self._kept) >= MAX_TALLIES:
            self._kept.pop(next(iter(self._kept)))
        self._kept[pipeline_id] = tally
        return tally
