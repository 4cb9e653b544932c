"""Where a running execution's events go in the service: numbered, encoded, into its partition."""

from collections.abc import Sequence
from datetime import datetime

from executor_service.errors import RecordingLost
from executor_service.log.recovery import Fact
from executor_service.log.writer import PartitionWriter
from executor_service.payload_errors import REMEDY, PayloadNotStored, PayloadTooLarge
from executor_service.payloads.claim_check import ClaimCheck
from executor_service.ports.runtime import Clock
from steplog_contracts.encoder import ExecutionEncoder
from steplog_contracts.envelope import Record, format_time
from steplog_contracts.events import Event, ExecutionStarted, StepEvent, StepScheduled, StepStarted
from steplog_contracts.payload import encode_payload

# A longer history is not kept in memory, and so is never parked.
MAX_FACTS_KEPT = 2_000
# The log takes 1,000,000 bytes with headers and key.
MAX_RECORD_BYTES = 990_000
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
        self._groups: list[tuple[Sequence[Event], datetime]] | None = []
        self._newest = facts[-1].time if facts else None
        self._draining = False
        self.under_way = False  # Events are given and not acknowledged; for good after a failure.
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
        self.under_way = True
        if self._writer.starts.held:
            events = await self._held_back(events, cause)
        kept = _facts_first(events) if self._draining else events
        if kept:
            await self._append(kept, cause)
        if len(kept) < len(events):
            raise HandedOver("This executor is stopping; another one goes on with the execution.")
        self.under_way = False

    async def _held_back(self, events: Sequence[Event], cause: str | None) -> Sequence[Event]:
        """Record what has happened; return the rest once it may be recorded.

        A beginning waits whole: nothing of it has happened, and its command comes again.
        """
        begins = isinstance(events[0], ExecutionStarted)
        facts = () if begins else _facts_first(events)
        if facts:
            await self._append(facts, cause)
        if len(facts) < len(events):
            await self._writer.starts.wait()
        return events[len(facts) :]

    async def _append(self, events: Sequence[Event], cause: str | None) -> None:
        claims = self._claim_check
        if claims.known:
            events = [claims.hollow_known(event) for event in events]
        now = self._not_before_the_last()
        records = self._encode(events, now, cause)
        for record in records:
            if len(record.value or b"") > claims.max_inline_bytes:
                await self._append_large(events, now, cause)
                return
        self._seq += len(records)
        self._keep(events, now)
        await self._writer.append(records)

    async def _append_large(
        self, events: Sequence[Event], now: datetime, cause: str | None
    ) -> None:
        events, problem = await self._checked_in(events)
        records = self._encode(events, now, cause)
        self._seq += len(records)
        self._keep(events, now)
        if records:
            await self._writer.append(records)
        if problem is not None:
            raise problem

    def _not_before_the_last(self) -> datetime:
        """Return the time, or that of the last event if the clock was set back or is another's.

        Times of one history never go back, so "as of a moment" means a beginning of it.
        """
        now = self._clock.now()
        self._newest = now if self._newest is None else max(now, self._newest)
        return self._newest

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
        if size_bytes > MAX_RECORD_BYTES:
            remedy = (
                "what is large in it is the definition, which has to be made smaller"
                if self._claim_check.stores
                else REMEDY
            )
            raise PayloadTooLarge(
                f"An event of {size_bytes} bytes is larger than the log takes ({MAX_RECORD_BYTES} "
                f"bytes); {remedy}."
            )

    def _encode(self, events: Sequence[Event], now: datetime, cause: str | None) -> list[Record]:
        time = format_time(now).encode()
        offset = self._command_offsets.get(cause) if cause is not None else None
        return [
            self._encoder.encode(
                event, seq=seq, time=time, causation_id=cause, command_offset=offset
            )
            for seq, event in enumerate(events, self._seq + 1)
        ]

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
