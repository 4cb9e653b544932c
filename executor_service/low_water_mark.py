"""What a partition may commit: the commands done with, and how far back recovery must read.

A commands offset is committed only when every command before it is done: refused, or its execution
ended. Beside it travels the *mark*: the events offset from which the log holds everything that
commands not yet committed have led to. A command's floor is a lower bound of the offsets its events
have.
"""

import json
from dataclasses import dataclass

METADATA_VERSION = 1


@dataclass(frozen=True, slots=True)
class ResumePoint:
    """Where a new owner takes up: next command, first event to read, epoch in force there."""

    command_offset: int
    mark: int
    epoch: int | None

    def metadata(self) -> str:
        """Return the text stored with the committed commands offset."""
        return json.dumps({"v": METADATA_VERSION, "mark": self.mark, "epoch": self.epoch})


def resume_point(command_offset: int, metadata: str) -> ResumePoint:
    """Read a committed offset; without usable metadata, recovery reads from the log's start."""
    try:
        stored = json.loads(metadata)
        return ResumePoint(command_offset, int(stored["mark"]), stored["epoch"])
    except (ValueError, KeyError, TypeError):
        return ResumePoint(command_offset, 0, None)


class LowWaterMark:
    """Commands received and not yet committed, in offset order, each with its floor.

    Commands below `replay_until` may have been handled by a former owner: the tail from
    `point.mark` names no later one. Until they have all come again, the mark stays where it is.
    """

    def __init__(self, point: ResumePoint, replay_until: int) -> None:
        self.next_command = point.command_offset
        self._inherited_mark = point.mark
        self._replay_until = replay_until
        self._floors: dict[int, int] = {}  # Command offset -> floor; insertion is offset order.
        self._open: set[int] = set()
        self._holds: dict[str, int] = {}  # Execution -> first of its events not in a snapshot.

    def received(self, command_offset: int, floor: int) -> None:
        """Note a command; `floor` is at or below the offset of any event it leads to."""
        self.next_command = command_offset + 1
        self._floors[command_offset] = floor
        self._open.add(command_offset)

    def done(self, command_offset: int) -> None:
        """Note that a command needs no more work; saying so again changes nothing."""
        self._open.discard(command_offset)

    def hold(self, execution_id: str, floor: int) -> None:
        """Keep the mark at or below `floor` while a parked execution is taken up again."""
        self._holds.setdefault(execution_id, floor)

    def let_go(self, execution_id: str) -> None:
        """End a hold, if there is one: the execution has ended or is parked again."""
        self._holds.pop(execution_id, None)

    def commit_point(self, next_event_offset: int) -> tuple[int, int]:
        """Return (commands offset to commit, mark) and forget what lies before it."""
        while self._floors:
            oldest = next(iter(self._floors))
            if oldest in self._open:
                return oldest, self._mark(min(self._floors.values()), next_event_offset)
            del self._floors[oldest]
        return self.next_command, self._mark(next_event_offset, next_event_offset)

    def _mark(self, floor: int, next_event_offset: int) -> int:
        if self.next_command < self._replay_until:
            return self._inherited_mark
        return min(floor, next_event_offset, *self._holds.values())
