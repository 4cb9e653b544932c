"""Which records of a partition go into an archive: those readers take, of the executions asked for.

Pure; fed a partition's records in the order of the log. An execution is asked for as a whole, by
when it began, so what is exported can stand alone: no history is cut in two.
"""

from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from steplog.archive.format import Closing
from steplog_contracts.epoch import EpochRule, goes_on
from steplog_contracts.events import ENDINGS
from tracker_service.projections.payload_decoder import CLAIMED
from tracker_service.projections.record_header import Heading, LogRecord, Unreadable, read_heading

# Steps are undone after the end, and repeats may come: ended executions are known for a while.
MAX_ENDED_KNOWN: Final = 100_000
_ENDS: Final = frozenset(ending.event_type for ending in ENDINGS)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Executions that began from `since` up to but not `until`; neither given: all."""

    since: datetime | None = None
    until: datetime | None = None

    @property
    def everything(self) -> bool:
        """Whether nothing is left out that readers take."""
        return self.since is None and self.until is None

    def covers(self, time: datetime) -> bool:
        """Whether a time lies in the window."""
        return (self.since is None or time >= self.since) and (
            self.until is None or time < self.until
        )


class Selecting:
    """Decides record by record for one partition, and counts into `closing`."""

    def __init__(self, wanted: Wanted, rule: EpochRule, closing: Closing) -> None:
        self._wanted = wanted
        self._rule = rule
        self._closing = closing
        # By execution, whether it began under an epoch.
        self._going_on: dict[str, bool] = {}
        self._ended = OrderedDict[str, bool]()

    def takes(self, record: LogRecord) -> bool:
        """Return whether the record belongs into the archive."""
        heading = read_heading(record)
        if isinstance(heading, Unreadable):
            return self._takes_unreadable(heading)
        if heading.kind == CLAIMED:
            self._rule.admits(heading.offset, heading.kind, heading.epoch)
            return False
        if not self._rule.admits(heading.offset, heading.kind, heading.epoch):
            self._closing.stale += self._concerns(heading)
            return False
        return self._takes_event(heading)

    def close(self) -> None:
        """Count what had not ended when the partition did."""
        self._closing.unfinished += len(self._going_on)

    def _takes_event(self, heading: Heading) -> bool:
        if heading.seq == 0:
            return self._wanted.covers(heading.time)
        name = heading.execution_id
        begun = self._going_on.get(name, self._ended.get(name))
        if not goes_on(begun, heading.epoch):
            self._closing.stale += 1
            return False
        begins = heading.seq == 1 and name not in self._going_on and name not in self._ended
        if begins and self._wanted.covers(heading.time):
            self._going_on[name] = heading.epoch is not None
            self._closing.executions += 1
        taken = self._concerns(heading)
        if heading.kind in _ENDS and name in self._going_on:
            self._end(name)
        return taken

    def _takes_unreadable(self, heading: Unreadable) -> bool:
        """Keep it where its execution is kept: the tracker of the new cluster sets it aside too."""
        if heading.execution_id is None:
            return self._wanted.everything
        return self._wanted.everything or heading.execution_id in self._going_on

    def _concerns(self, heading: Heading) -> bool:
        if self._wanted.everything:
            return True
        return heading.execution_id in self._going_on or heading.execution_id in self._ended

    def _end(self, name: str) -> None:
        self._ended[name] = self._going_on.pop(name)
        while len(self._ended) > MAX_ENDED_KNOWN:
            self._ended.popitem(last=False)
