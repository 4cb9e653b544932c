"""Where a running execution's events go in the service: numbered, encoded, into its partition."""

from collections.abc import Sequence
from datetime import datetime

from pydantic_core import to_json

from executor_service.errors import RecordingLost
from executor_service.log.recovery import Fact
from executor_service.log.writer import PartitionWriter
from executor_service.payload_errors import REMEDY, PayloadNotStored, PayloadTooLarge
from executor_service.payloads.claim_check import ClaimCheck
from executor_service.ports.runtime import Clock
from steplog_contracts.encoder import ExecutionEncoder
from steplog_contracts.envelope import Record, format_time
from steplog_contracts.events import (
    ENDINGS,
    Event,
    ExecutionStarted,
    StepEvent,
    StepScheduled,
    StepStarted,
)
from steplog_contracts.limits import MAX_VALUE_BYTES
from steplog_contracts.payload import encode_payload

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
        claim_check: ClaimCheck,
        facts: Sequence[Fact] = (),
    ) -> None:
        """`facts` are those recorded before: by a former owner, or before it was parked."""
        self._claim_check = claim_check
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
        self._groups: list[tuple[Sequence[Event], Sequence[datetime]]] | None = []
        self._newest = facts[-1].time if facts else None
        self._draining = False
        self._end: Event | None = None
        self.under_way = False  # Events are given and not acknowledged; for good after a failure.
        self._command_offsets: dict[str, int] = {}

    @property
    def end(self) -> Event | None:
        """Return the event that ended the execution, once it is given to the log."""
        return self._end

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
        return [
            *self._before,
            *(Fact(*kept) for group in self._groups for kept in zip(*group, strict=True)),
        ]

    def drain(self) -> None:
        """From now on record what has happened and nothing that starts more work."""
        self._draining = True

    async def record(
        self,
        events: Sequence[Event],
        *,
        cause: str | None = None,
        times: Sequence[datetime] | None = None,
    ) -> None:
        """Return when the events are in the log that readers take.

        Each has the present as its time, or its own where `times` are given.

        Raises:
            HandedOver: the process is stopping; the facts are recorded, the next start is not.
            RecordingLost: another executor owns the partition.
        """
        self.under_way = True
        if isinstance(events[-1], ENDINGS):
            self._end = events[-1]
        if self._writer.starts.held:
            done = await self._held_back(events, times, cause)
            events, times = events[done:], None if times is None else times[done:]
        kept = _facts_first(events, times) if self._draining else events
        if kept:
            await self._append(kept, times, cause)
        if len(kept) < len(events):
            raise HandedOver("This executor is stopping; another one goes on with the execution.")
        self.under_way = False

    @property
    def records_at_once(self) -> bool:
        """Whether nothing may run ahead of the log, since somebody else may soon own it."""
        return self._draining or self._writer.starts.held

    async def _held_back(
        self, events: Sequence[Event], times: Sequence[datetime] | None, cause: str | None
    ) -> int:
        """Record what has happened; return how many that is once the rest may be recorded.

        A beginning waits whole: nothing of it has happened, and its command comes again.
        """
        begins = isinstance(events[0], ExecutionStarted)
        facts = () if begins else _facts_first(events, times)
        if facts:
            await self._append(facts, times, cause)
        if len(facts) < len(events):
            await self._writer.starts.wait()
        return len(facts)

    async def _append(
        self, events: Sequence[Event], given: Sequence[datetime] | None, cause: str | None
    ) -> None:
        claims = self._claim_check
        if claims.known:
            events = [claims.hollow_known(event) for event in events]
        times = self._times(len(events), given)
        records = self._encode(events, times, cause)
        for record in records:
            if len(record.value or b"") > claims.max_inline_bytes:
                await self._append_large(events, times, cause)
                return
        self._seq += len(records)
        self._keep(events, times)
        await self._writer.append(records)

    async def _append_large(
        self, events: Sequence[Event], times: Sequence[datetime], cause: str | None
    ) -> None:
        events, problem = await self._checked_in(events)
        records = self._encode(events, times, cause)
        self._seq += len(records)
        self._keep(events, times)
        if records:
            await self._writer.append(records)
        if problem is not None:
            raise problem

    def _times(self, count: int, given: Sequence[datetime] | None) -> Sequence[datetime]:
        """Return the time of each event: the present or its own.

        Times of one history never go back, even if the clock was set back or is another's, so "as
        of a moment" means a beginning of it.
        """
        if given is None:
            now = self._clock.now()
            self._newest = now if self._newest is None else max(now, self._newest)
            return (self._newest,) * count
        times = []
        for time in given[:count]:
            self._newest = time if self._newest is None else max(time, self._newest)
            times.append(self._newest)
        return times

    async def _checked_in(
        self, events: Sequence[Event]
    ) -> tuple[list[Event], PayloadNotStored | None]:
        """Return events that fit into the log: all, or those before the one that can't be made to,
        and why it can't."""
        hollow: list[Event] = []
        for event in events:
            try:
                fitting = await self._claim_check.hollow(event)
                self._refuse_too_large(fitting)
            except PayloadNotStored as problem:
                problem.step_id = event.step_id if isinstance(event, StepEvent) else None
                return hollow, problem
            hollow.append(fitting)
        return hollow, None

    def _refuse_too_large(self, event: Event) -> None:
        size_bytes = len(encode_payload(event))
        if size_bytes > MAX_VALUE_BYTES:
            raise PayloadTooLarge(
                f"An event of {size_bytes} bytes is larger than the log takes ({MAX_VALUE_BYTES} "
                f"bytes); {self._smaller(event)}."
            )

    def _smaller(self, event: Event) -> str:
        """Return what can be done about an event that is too large."""
        fields = {name: getattr(event, name) for name in type(event).model_fields}
        largest = max(fields, key=lambda name: len(to_json(fields[name])))
        if largest in event.payload_fields and not self._claim_check.stores:
            return REMEDY
        return f"what is large in it is its {largest}, which has to be made smaller"

    def _encode(
        self, events: Sequence[Event], times: Sequence[datetime], cause: str | None
    ) -> list[Record]:
        offset = self._command_offsets.get(cause) if cause is not None else None
        records: list[Record] = []
        newest: datetime | None = None
        time = b""
        for seq, (event, at) in enumerate(zip(events, times, strict=False), self._seq + 1):
            if at is not newest:
                newest, time = at, format_time(at).encode()
            records.append(
                self._encoder.encode(
                    event, seq=seq, time=time, causation_id=cause, command_offset=offset
                )
            )
        return records

    def _keep(self, events: Sequence[Event], times: Sequence[datetime]) -> None:
        if self._groups is not None:
            self._groups.append((events, times))
            if self._seq > MAX_FACTS_KEPT:
                self._groups, self._before = None, ()


def _facts_first(
    events: Sequence[Event], times: Sequence[datetime] | None = None
) -> Sequence[Event]:
    """Return the events before the first that starts more work; any prefix can be gone on from.

    Where events waited for others (`times`), steps ran ahead of the log: what was started before
    the last fact has run.
    """
    if times is not None:
        facts = [index for index, event in enumerate(events) if not isinstance(event, _INTENTS)]
        return events[: facts[-1] + 1] if facts else ()
    for index, event in enumerate(events):
        if isinstance(event, _INTENTS):
            return events[:index]
    return events
