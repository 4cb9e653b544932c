"""What a new owner finds of its predecessors' work in a partition."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from executor_service.log.snapshots import Snapshot
from steplog_contracts.events import Event, ExecutionStarted


class Fact(NamedTuple):
    """A recorded event and when it was recorded."""

    event: Event
    time: datetime


@dataclass(slots=True)
class RecoveredExecution:
    """One execution's events so far, in order, and where the first of them stands."""

    execution_id: str
    command_id: str | None
    first_offset: int
    facts: list[Fact] = field(default_factory=list)
    ended: bool = False
    broken: bool = False  # An event of it can't be read: going on would rewrite its history.
    foreign: bool = False  # Another program records it: no executor's claim was in force.

    @property
    def started(self) -> ExecutionStarted:
        """Return the event that began it."""
        first = self.facts[0].event
        assert isinstance(first, ExecutionStarted)
        return first

    @classmethod
    def unparked(cls, snapshot: Snapshot, first_offset: int) -> "RecoveredExecution":
        """Return a parked execution whose next event stands at `first_offset`."""
        parked = snapshot.open()
        facts = [Fact(fact.event, fact.time) for fact in parked.facts]
        return cls(parked.execution_id, parked.command_id, first_offset, facts)


@dataclass(slots=True)
class Headless:
    """An execution whose first events were removed from the log: no more is known of it."""

    execution_id: str
    command_id: str | None
    seq: int  # Of its last event.
    ended: bool


@dataclass(slots=True)
class RecoveredPartition:
    """Everything a new owner has to know of its predecessors' work."""

    executions: dict[str, RecoveredExecution] = field(default_factory=dict)
    handled_commands: dict[str, int] = field(default_factory=dict)  # Id -> first event's offset.
    handled_for: dict[str, str] = field(default_factory=dict)  # Id -> the execution it was for.
    # The commands offset behind the last command that led to anything.
    commands_until: int = 0
    claims: list[int] = field(default_factory=list)
    unreadable: int = 0
    # Where the log begins, if that is behind what had to be read; and whose beginning is missing.
    removed_until: int | None = None
    headless: dict[str, Headless] = field(default_factory=dict)

    def unfinished(self) -> list[RecoveredExecution]:
        """Return the executions without an end, in the order they began."""
        return [execution for execution in self.executions.values() if not execution.ended]
