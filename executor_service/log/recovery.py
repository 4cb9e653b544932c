"""What a partition's tail says about the executions in it: pure, from records to open histories.

A new owner reads from the low-water mark to its own claim. Every execution that a command not yet
committed has begun lies whole in that range; events of executions begun earlier belong to ended
ones and are passed over.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import structlog

from executor_service.log.record_header import Heading, read_heading
from executor_service.log.recovered_partition import (
    Fact,
    Headless,
    RecoveredExecution,
    RecoveredPartition,
)
from executor_service.log.snapshots import Snapshot
from executor_service.ports.event_log import LoggedRecord
from steplog_contracts.codec import decode_event
from steplog_contracts.epoch import EpochRule, goes_on
from steplog_contracts.events import (
    ENDINGS,
    CommandRefused,
    Event,
    ExecutionStarted,
    PartitionClaimed,
)
from steplog_contracts.payload import sha256_of

_ENDINGS = frozenset(ENDINGS)
# Users' data can look like it, which costs a look and no more.
_CHILD = b'"parent_visit":{'
_CLAIM = ("ce_type", PartitionClaimed.event_type.encode())

_log = structlog.get_logger(__name__)


@dataclass(slots=True)
class _Found:
    """One execution in the tail, its records not yet decoded."""

    execution_id: str
    command_id: str | None
    first_offset: int
    seq: int  # Of the last record taken, or of the snapshot.
    snapshot: Snapshot | None = None
    records: list[LoggedRecord] = field(default_factory=list)
    ended: bool = False
    broken: bool = False
    foreign: bool = False
    is_child: bool = False  # Its parent may have to be told its end.

    def opened(self) -> RecoveredExecution:
        """Return it with its events decoded, as far as they can be."""
        opened = RecoveredExecution(self.execution_id, self.command_id, self.first_offset)
        try:
            if self.snapshot is not None:
                opened = RecoveredExecution.unparked(self.snapshot, self.first_offset)
        except Exception as error:
            _log.warning("unreadable_snapshot", execution=self.execution_id, reason=str(error))
            self.broken = True
            self.records.clear()
        opened.ended, opened.broken, opened.foreign = self.ended, self.broken, self.foreign
        for logged in self.records:
            try:
                recorded = decode_event(logged.value, logged.headers)
            except Exception as error:
                _log.warning("unreadable_event", offset=logged.offset, reason=str(error))
                opened.broken = True
                break
            opened.facts.append(Fact(recorded.event, recorded.envelope.time))
            if not _has_its_hash(recorded.event):
                # The tracker sets such a beginning aside, so nobody would see what ran.
                _log.warning("wrong_definition_hash", offset=logged.offset)
                opened.broken = True
        return opened


def _has_its_hash(event: Event) -> bool:
    """Return whether an event's definition, if it has one, is the one its hash was made of."""
    if not isinstance(event, ExecutionStarted) or event.definition is None:
        return True
    return event.definition_hash in (None, sha256_of(event.definition))


class PartitionFold:
    """Folds a partition's records, fed in offset order; `recovered` is the result so far.

    Payloads are decoded at the end, and only those that somebody wants: without `keep_ended`, an
    execution that has ended is known by its id alone.
    """

    def __init__(
        self,
        epoch: int | None,
        parked: Mapping[str, Snapshot] = MappingProxyType({}),
        *,
        keep_ended: bool = True,
    ) -> None:
        self._rule = EpochRule(epoch)
        self._parked = parked
        self._keep_ended = keep_ended
        self._found: dict[str, _Found] = {}
        self._newest_of_parked: dict[str, Headless] = {}
        self._recovered = RecoveredPartition()

    @property
    def recovered(self) -> RecoveredPartition:
        """Return what was fed so far, decoded."""
        opened = {found.execution_id: found.opened() for found in self._found.values()}
        self._recovered.executions = opened
        return self._recovered

    def miss(self, removed_until: int) -> None:
        """Know that retention removed everything before an offset, needed as it was."""
        self._recovered.removed_until = removed_until

    def unfounded(self) -> list[str]:
        """Return the parked executions whose snapshots hold what the log does not; to be asked once
        the log was fed from its beginning.

        Those whose beginning it has go on from there. Of the others nothing certain is known.
        """
        unfounded = []
        for execution_id, snapshot in self._parked.items():
            newest = self._newest_of_parked.get(execution_id)
            removed = self._recovered.removed_until is not None
            if newest is None and removed:
                continue  # All its events were removed, as old ones are.
            if newest is None or newest.seq < snapshot.seq:
                unfounded.append(execution_id)
                if newest is not None and removed and execution_id not in self._found:
                    self._recovered.headless[execution_id] = newest
        return unfounded

    def has_ended(self, execution_id: str) -> bool:
        """Return whether the end of an execution was fed."""
        found = self._found.get(execution_id)
        return found is not None and found.ended

    def feed_if(self, logged: LoggedRecord, subject: tuple[str, bytes]) -> None:
        """Take a record only if it is about `subject`, or is a claim, which is about all."""
        if subject in logged.headers or _CLAIM in logged.headers:
            self.feed(logged)

    def feed(self, logged: LoggedRecord) -> None:
        """Take one record; what nobody can read is counted and passed over, as the tracker does."""
        try:
            heading = read_heading(logged)
            event_type = heading.event_class.event_type
            admitted = self._rule.admits(logged.offset, event_type, heading.writer_epoch)
            if admitted and goes_on(self._under_epoch(heading), heading.writer_epoch):
                self._take(logged, heading)
        except Exception as error:  # Foreign bytes: whatever they lead to, the next one is read.
            self._recovered.unreadable += 1
            _log.warning("unreadable_event", offset=logged.offset, reason=str(error))

    def feed_all(self, records: Iterable[LoggedRecord]) -> RecoveredPartition:
        """Take many records and return the result."""
        for logged in records:
            self.feed(logged)
        return self.recovered

    def _take(self, logged: LoggedRecord, heading: Heading) -> None:
        recovered, event_class = self._recovered, heading.event_class
        if heading.execution_id in self._parked and heading.seq:
            self._note_parked(heading)
        by_executor = heading.writer_epoch is not None
        if heading.command_offset is not None and by_executor:
            until = max(recovered.commands_until, heading.command_offset + 1)
            recovered.commands_until = until
        if heading.causation_id is not None and by_executor:
            recovered.handled_commands.setdefault(heading.causation_id, logged.offset)
            recovered.handled_for.setdefault(heading.causation_id, heading.execution_id)
        if event_class is PartitionClaimed:
            recovered.claims.append(logged.offset)
        elif event_class is ExecutionStarted and heading.seq == 1:
            self._begin(logged, heading)
        elif event_class is CommandRefused:
            self._refused(logged, heading)
        else:
            self._continue(logged, heading)

    def _under_epoch(self, heading: Heading) -> bool | None:
        """Return how the history an event names began, or None where that is out of sight."""
        if heading.event_class is PartitionClaimed:
            return None
        found = self._found.get(heading.execution_id)
        if found is not None and heading.seq:
            return not found.foreign
        # Only an executor refuses, and parks.
        return True if not heading.seq or heading.execution_id in self._parked else None

    def _refused(self, logged: LoggedRecord, heading: Heading) -> None:
        if heading.causation_id is None:  # Only its payload names the command then.
            refused = decode_event(logged.value, logged.headers).event
            assert isinstance(refused, CommandRefused)
            self._recovered.handled_commands.setdefault(refused.command_id, logged.offset)

    def _begin(self, logged: LoggedRecord, heading: Heading) -> None:
        execution_id = heading.execution_id
        if execution_id not in self._found:  # Otherwise a repeat of seq 1: the first one stands.
            self._found[execution_id] = _Found(
                execution_id, heading.correlation_id, logged.offset, 1, records=[logged],
                foreign=heading.writer_epoch is None, is_child=_CHILD in (logged.value or b""),
            )  # fmt: skip

    def _continue(self, logged: LoggedRecord, heading: Heading) -> None:
        found = self._known(logged.offset, heading)
        if found is None:
            return
        if heading.seq != found.seq + 1:
            found.broken = found.broken or heading.seq > found.seq + 1
            return
        found.seq = heading.seq
        found.records.append(logged)
        if heading.event_class in _ENDINGS:
            found.ended = True
            if not self._keep_ended:
                # Of a child its beginning and its end are needed still.
                begins = found.records[:1] if found.snapshot is None else []
                found.records[:] = [*begins, logged] if found.is_child else []
                found.snapshot = found.snapshot if found.is_child else None

    def _known(self, offset: int, heading: Heading) -> _Found | None:
        """Return the execution an event belongs to, taking it up from its snapshot if it has one.

        Events up to the snapshot are in it already; an execution with neither a beginning nor a
        snapshot in sight ended before the mark.
        """
        known = self._found.get(heading.execution_id)
        if known is not None:
            return known
        snapshot = self._parked.get(heading.execution_id)
        if snapshot is None:
            self._note_headless(offset, heading)
            return None
        if heading.seq <= snapshot.seq:
            return None
        taken_up = _Found(
            heading.execution_id, heading.correlation_id, offset, snapshot.seq, snapshot=snapshot,
            is_child=_CHILD in snapshot.value,
        )  # fmt: skip
        self._found[heading.execution_id] = taken_up
        return taken_up

    def _note_parked(self, heading: Heading) -> None:
        known = self._newest_of_parked.get(heading.execution_id)
        if known is None or known.seq < heading.seq:
            self._newest_of_parked[heading.execution_id] = Headless(
                heading.execution_id, heading.correlation_id, heading.seq, ended=False
            )

    def _note_headless(self, offset: int, heading: Heading) -> None:
        if self._recovered.removed_until is None or heading.writer_epoch is None:
            return
        ended = heading.event_class in _ENDINGS
        self._recovered.headless[heading.execution_id] = Headless(
            heading.execution_id, heading.correlation_id, heading.seq, ended
        )
        if heading.correlation_id is not None:  # It began the execution, so it has been handled.
            self._recovered.handled_commands.setdefault(heading.correlation_id, offset)


__all__ = [
    "Fact",
    "Headless",
    "PartitionFold",
    "RecoveredExecution",
    "RecoveredPartition",
]
