"""Where a running execution's events go in the service: numbered, encoded, into its partition."""

from collections.abc import Sequence
from datetime import datetime

from contracts.encoder import ExecutionEncoder
from contracts.envelope import Record, format_time
from contracts.events import Event, StepScheduled, StepStarted
from executor_service.errors import RecordingLost
from executor_service.partition_writer import PartitionWriter
from executor_service.ports import Clock
from executor_service.recovery import Fact

# A longer history is not kept in memory, and so is never parked.
MAX_FACTS_KEPT = 2_000
# What announces work still to do; everything else states what has happened.
_INTENTS = (StepStarted, StepScheduled)


class HandedOver(RecordingLost):
    """This process is stopping: what has happened is recorded, what was to follow is not."""


class ExecutionRecorder:
    """The recorder of one execution under one claim; satisfies `ports.Recorder`.

    seq is given in the order of calls, and calls reach the writer in that order.
    """

    def __init__(
        self,
        writer: PartitionWriter,
        clock: Clock,
        execution_id: str,
        *,
        source: str,
        correlation_id: str | None,
        facts: Sequence[Fact] = (),
    ) -> None:
        """`facts` are those recorded before: by a former owner, or before it was parked."""
        self._writer = writer
        self._clock = clock
        self._encoder = ExecutionEncoder(
            execution_id,
            source=source,
            correlation_id=correlation_id,
            writer_epoch=writer.epoch,
        )
        self._seq = len(facts)
        self._before = facts
        self._groups: list[tuple[Sequence[Event], datetime]] | None = []
        self._draining = False
        self._command_offsets: dict[str, int] = {}

    def expect(self, command_id: str, command_offset: int) -> None:
        """Know where a command stands whose effects are to be recorded."""
        self._command_offsets[command_id] = command_offset

    @property
    def seq(self) -> int:
        """Return the seq of the last event given to the log."""
        return self._seq

    @property
    def facts(self) -> Sequence[Fact] | None:
        """Return everything recorded so far, or None when that is too much to keep."""
        if self._groups is None:
            return None
        return [*self._before, *(Fact(e, time) for events, time in self._groups for e in events)]

    def drain(self) -> None:
        """From now on record what has happened and nothing that starts more work."""
        self._draining = True

    async def record(self, events: Sequence[Event], *, cause: str | None = None) -> None:
        """Return when the events are in the log that readers take.

        Raises:
            HandedOver: the process is stopping; the facts are recorded, the next start is not.
            RecordingLost: another executor owns the partition.
        """
        kept = _facts_first(events) if self._draining else events
        if kept:
            await self._writer.append(self._encode(kept, cause))
        if len(kept) < len(events):
            raise HandedOver("This executor is stopping; another one goes on with the execution.")

    def _encode(self, events: Sequence[Event], cause: str | None) -> list[Record]:
        now = self._clock.now()
        time = format_time(now).encode()
        first = self._seq + 1
        offset = self._command_offsets.get(cause) if cause is not None else None
        records = [
            self._encoder.encode(
                event, seq=seq, time=time, causation_id=cause, command_offset=offset
            )
            for seq, event in enumerate(events, first)
        ]
        self._seq += len(records)
        self._keep(events, now)
        return records

    def _keep(self, events: Sequence[Event], now: datetime) -> None:
        if self._groups is not None:
            self._groups.append((events, now))
            if self._seq > MAX_FACTS_KEPT:
                self._groups, self._before = None, ()


def _facts_first(events: Sequence[Event]) -> Sequence[Event]:
    """Return the events before the first that starts more work; any prefix can be gone on from."""
    for index, event in enumerate(events):
        if isinstance(event, _INTENTS):
            return events[:index]
    return events
