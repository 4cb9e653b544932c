"""What a partition's tail says about the executions in it: pure, from records to open histories.

A new owner reads from the low-water mark to its own claim. Every execution that a command not yet
committed has begun lies whole in that range; events of executions begun earlier belong to ended
ones and are passed over.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import NamedTuple

import structlog

from contracts.codec import decode_event
from contracts.envelope import EventEnvelope, RecordedEvent
from contracts.epoch import EpochRule
from contracts.errors import ContractError
from contracts.events import (
    ENDINGS,
    CommandRefused,
    Event,
    ExecutionStarted,
    PartitionClaimed,
)
from executor_service.event_log import LoggedRecord
from executor_service.parking import Snapshot

_CLAIM = ("ce_type", PartitionClaimed.event_type.encode())

_log = structlog.get_logger(__name__)


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
class RecoveredPartition:
    """Everything a new owner has to know of its predecessors' work."""

    executions: dict[str, RecoveredExecution] = field(default_factory=dict)
    handled_commands: dict[str, int] = field(default_factory=dict)  # Id -> first event's offset.
    # The commands offset behind the last command that led to anything.
    commands_until: int = 0
    claims: list[int] = field(default_factory=list)
    unreadable: int = 0

    def unfinished(self) -> list[RecoveredExecution]:
        """Return the executions without an end, in the order they began."""
        return [execution for execution in self.executions.values() if not execution.ended]


class PartitionFold:
    """Folds a partition's records, fed in offset order; `recovered` is the result so far."""

    def __init__(
        self, epoch: int | None, parked: Mapping[str, Snapshot] = MappingProxyType({})
    ) -> None:
        self._rule = EpochRule(epoch)
        self._parked = parked
        self.recovered = RecoveredPartition()

    def feed_if(self, logged: LoggedRecord, subject: tuple[str, bytes]) -> None:
        """Take a record only if it is about `subject`, or is a claim, which is about all."""
        if subject in logged.headers or _CLAIM in logged.headers:
            self.feed(logged)

    def feed(self, logged: LoggedRecord) -> None:
        """Take one record; what nobody can read is counted and passed over, as the tracker does."""
        if logged.value is None:
            self.recovered.unreadable += 1
            return
        try:
            recorded = decode_event(logged.value, logged.headers)
        except ContractError as error:
            self.recovered.unreadable += 1
            _log.warning("unreadable_event", offset=logged.offset, reason=str(error))
            return
        envelope = recorded.envelope
        if self._rule.admits(logged.offset, recorded.event.event_type, envelope.writer_epoch):
            self._take(logged.offset, recorded)

    def feed_all(self, records: Iterable[LoggedRecord]) -> RecoveredPartition:
        """Take many records and return the result."""
        for logged in records:
            self.feed(logged)
        return self.recovered

    def _take(self, offset: int, recorded: RecordedEvent) -> None:
        envelope, event = recorded.envelope, recorded.event
        if envelope.command_offset is not None:
            until = max(self.recovered.commands_until, envelope.command_offset + 1)
            self.recovered.commands_until = until
        if envelope.causation_id is not None:
            self.recovered.handled_commands.setdefault(envelope.causation_id, offset)
        match event:
            case PartitionClaimed():
                self.recovered.claims.append(offset)
            case CommandRefused():
                self.recovered.handled_commands.setdefault(event.command_id, offset)
            case ExecutionStarted() if envelope.seq == 1:
                self._begin(offset, recorded, event)
            case _:
                self._continue(offset, recorded)

    def _begin(self, offset: int, recorded: RecordedEvent, started: ExecutionStarted) -> None:
        execution_id = recorded.envelope.execution_id
        if execution_id in self.recovered.executions:
            return  # A repeat of seq 1: the first one stands.
        self.recovered.executions[execution_id] = RecoveredExecution(
            execution_id, started.command_id, offset, [Fact(started, recorded.envelope.time)]
        )

    def _continue(self, offset: int, recorded: RecordedEvent) -> None:
        execution = self._known(offset, recorded.envelope)
        if execution is None:
            return
        expected, seq = len(execution.facts) + 1, recorded.envelope.seq
        if seq != expected:
            execution.broken = execution.broken or seq > expected
            return
        execution.facts.append(Fact(recorded.event, recorded.envelope.time))
        if isinstance(recorded.event, ENDINGS):
            execution.ended = True

    def _known(self, offset: int, envelope: EventEnvelope) -> RecoveredExecution | None:
        """Return the execution an event belongs to, taking it up from its snapshot if it has one.

        Events up to the snapshot are in it already; an execution with neither a beginning nor a
        snapshot in sight ended before the mark.
        """
        known = self.recovered.executions.get(envelope.execution_id)
        if known is not None:
            return known
        snapshot = self._parked.get(envelope.execution_id)
        if snapshot is None or envelope.seq <= snapshot.seq:
            return None
        taken_up = RecoveredExecution.unparked(snapshot, offset)
        self.recovered.executions[envelope.execution_id] = taken_up
        return taken_up
