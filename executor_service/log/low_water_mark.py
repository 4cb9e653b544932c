"""What a partition may commit: the commands done with, and how far back recovery must read.

A commands offset is committed only when every command before it is done: refused, or its execution
ended. Beside it travels the *mark*: the events offset from which the log holds everything that
commands not yet committed have led to. A command's floor is a lower bound of the offsets its events
have.
"""

import json
from bisect import bisect_left
from dataclasses import dataclass, field, replace

from executor_service.ports.last_record import LastRecords

METADATA_VERSION = 1


@dataclass(frozen=True, slots=True)
class ResumePoint:
    """Where a new owner takes up: next command, first event to read, epoch in force there.

    Ids that commands led to are saved for the events below `ids_through`, in the seen topic from
    its offset `ids_from` on; a new owner reads the events from there for the rest.
    """

    command_offset: int
    mark: int
    epoch: int | None
    ids_through: int = 0
    ids_from: int = 0
    # The newest record known of each log, by which a log that lost some is recognised.
    last: LastRecords = field(default_factory=LastRecords)

    def from_the_beginning(self, ids_from: int) -> "ResumePoint":
        """Return the point of an owner that reads all events there are; no saved id counts."""
        last = LastRecords(commands=self.last.commands)
        return replace(self, mark=0, epoch=None, ids_through=0, ids_from=ids_from, last=last)

    @property
    def read_from(self) -> int:
        """Return the events offset from which a new owner reads."""
        return min(self.mark, self.ids_through)

    def metadata(self) -> str:
        """Return the text stored with the committed commands offset."""
        return json.dumps(
            {
                "v": METADATA_VERSION,
                "mark": self.mark,
                "epoch": self.epoch,
                "ids": [self.ids_through, self.ids_from],
                "last": self.last.as_json(),
            }
        )


def resume_point(command_offset: int, metadata: str) -> ResumePoint:
    """Read a committed offset; without usable metadata, recovery reads from the log's start."""
    try:
        stored = json.loads(metadata)
        through, start = stored["ids"]
        return ResumePoint(
            command_offset,
            int(stored["mark"]),
            stored["epoch"],
            int(through),
            int(start),
            LastRecords.from_json(stored.get("last", {})),
        )
    except (ValueError, KeyError, TypeError):
        return ResumePoint(command_offset, 0, None)


class LowWaterMark:
    """Commands received and not yet done with, in offset order, each with its floor.

    Commands below `replay_until` may have been handled by a former owner: the tail from
    `point.mark` names no later one. Until they have all come again, the mark stays where it is.

    A command done before an older one keeps its floor until that one is done too. It need not be
    remembered itself for that: its floor goes to the open command before it. So however far a
    partition runs ahead of one long execution, what is kept here is the open commands alone.
    """

    def __init__(self, point: ResumePoint, replay_until: int) -> None:
        self.next_command = point.command_offset
        self._inherited_mark = point.mark
        self._replay_until = replay_until
        self._open: list[int] = []  # Command offsets, ascending.
        self._floors: dict[int, int] = {}  # Of each open one and the done ones behind it.
        self._holds: dict[str, int] = {}  # Execution -> first of its events not in a snapshot.

    def received(self, command_offset: int, floor: int) -> None:
        """Note a command; `floor` is at or below the offset of any event it leads to."""
        self.next_command = command_offset + 1
        self._open.append(command_offset)
        self._floors[command_offset] = floor

    def done(self, command_offset: int) -> None:
        """Note that a command needs no more work; saying so again changes nothing."""
        floor = self._floors.pop(command_offset, None)
        if floor is None:
            return
        index = bisect_left(self._open, command_offset)
        del self._open[index]
        if index > 0:
            before = self._open[index - 1]
            self._floors[before] = min(floor, self._floors[before])

    def hold(self, execution_id: str, floor: int) -> None:
        """Keep the mark at or below `floor` while a parked execution is taken up again."""
        self._holds.setdefault(execution_id, floor)

    def held(self, execution_id: str, otherwise: int) -> int:
        """Return where an execution keeps the mark, or `otherwise` if it does not."""
        return self._holds.get(execution_id, otherwise)

    def move(self, execution_id: str, floor: int) -> None:
        """Keep the mark at or below `floor` from now on: a snapshot has what comes before."""
        self._holds[execution_id] = floor

    def let_go(self, execution_id: str) -> None:
        """End a hold, if there is one: the execution has ended or is parked again."""
        self._holds.pop(execution_id, None)

    def commit_point(self, next_event_offset: int) -> tuple[int, int]:
        """Return (commands offset to commit, mark)."""
        if self._open:
            return self._open[0], self._mark(min(self._floors.values()), next_event_offset)
        return self.next_command, self._mark(next_event_offset, next_event_offset)

    def _mark(self, floor: int, next_event_offset: int) -> int:
        if self.next_command < self._replay_until:
            return self._inherited_mark
        return min(floor, next_event_offset, *self._holds.values())
