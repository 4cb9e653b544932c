"""What a partition may commit: the commands done with, and how far back recovery must read.

A commands offset is committed only when every command before it is done: refused, or its execution
ended. Beside it travels the *mark*: the events offset from which the log holds everything that
commands not yet committed have led to. A command's floor is a lower bound of the offsets its events
have.
"""

from bisect import bisect_left

from executor_service.ports.resume_point import ResumePoint


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

    @property
    def open_commands(self) -> int:
        """Return how many commands are not done with."""
        return len(self._open)

    def hold(self, execution_id: str, floor: int) -> None:
        """Keep the mark at or below `floor` while a parked execution is taken up again."""
        self._holds.setdefault(execution_id, floor)

    def held(self, execution_id: str, otherwise: int) -> int:
        """Return where an execution keeps the mark, or `otherwise` if it does not."""
        return self._holds.get(execution_id, otherwise)

    def move(self, execution_id: str, floor: int) -> None:
        """Keep the mark at or below `floor` from now on: a snapshot has what comes before."""
        self._holds[execution_id] = floor

    def release(self, execution_id: str) -> None:
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
