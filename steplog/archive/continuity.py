"""Whether histories are whole: each begins at its first event and none is missing in between."""

from collections import OrderedDict

from steplog.archive.format import ArchivedRecord
from steplog.archive.selection import MAX_ENDED_KNOWN
from steplog.errors import BadInput
from steplog_contracts.events import ENDINGS
from tracker_service.projections.record_header import Heading, read_heading

_ENDS = frozenset(ending.event_type for ending in ENDINGS)


class ArchiveHasGap(BadInput):
    """Events are missing from the archives; readers would set aside what follows the gap."""


class Continuity:
    """Follows every history that is going on; what it remembers is bounded by those."""

    def __init__(self, *, allow_gaps: bool = False) -> None:
        self._allow_gaps = allow_gaps
        self.executions = 0
        self._last: dict[str, int] = {}
        self._ended = OrderedDict[str, int]()

    def follow(self, record: ArchivedRecord) -> None:
        """Take the next record.

        Raises:
            ArchiveHasGap: events before it are missing.
        """
        heading = read_heading(record)
        name, seq = heading.execution_id, heading.seq
        if name is None or seq == 0:
            return
        ended = name in self._ended
        last = self._ended[name] if ended else self._last.get(name, 0)
        if seq > last + 1 and not self._allow_gaps:
            raise _gap(name, last, seq)
        self.executions += last == 0
        if ended:
            self._ended[name] = max(last, seq)
        elif isinstance(heading, Heading) and heading.kind in _ENDS and seq > last:
            self._last.pop(name, None)
            self._ended[name] = seq
            if len(self._ended) > MAX_ENDED_KNOWN:
                self._ended.popitem(last=False)
        else:
            self._last[name] = max(last, seq)


def _gap(name: str, last: int, seq: int) -> ArchiveHasGap:
    missing = f"event {last + 1}" if seq == last + 2 else f"events {last + 1} to {seq - 1}"
    return ArchiveHasGap(
        f"The archives lack {missing} of execution {name}; give the archive that has them, or take "
        "over what there is with --allow-gaps (the tracker will set aside what follows a gap)."
    )
