"""Events decided and folded, on their way to being recorded."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from executor_service.ports.runtime import Clock, Recorder
from steplog_contracts import events as ev

# While steps without effects run ahead of the log, what they did is recorded this often at least.
MAX_UNRECORDED_SECONDS: Final = 1.0
MAX_UNRECORDED_EVENTS: Final = 128
_OF_STEPS: Final = (ev.StepStarted, ev.StepProgressed, ev.StepCompleted)


@dataclass(slots=True)
class _Group:
    """Events of one cause; `times` says when each was decided, where they may wait here."""

    cause: str | None
    events: list[ev.Event] = field(default_factory=list)
    times: list[datetime] | None = None


class EventBuffer:
    """Keeps events in order, apart by the command that caused them, until they are recorded."""

    def __init__(
        self,
        recorder: Recorder | None,
        on_event: Callable[[ev.Event], None] | None,
        clock: Clock,
        pure_steps: Collection[str],
        on_failed: Callable[[], None],
    ) -> None:
        """Events of `pure_steps` may wait. Where there are any, all are given their times here;
        elsewhere they get that of their append. `on_failed` is called where recording fails beside
        the execution."""
        self._recorder = recorder
        self._on_event = on_event
        self._clock = clock
        self._pure_steps = pure_steps
        self._never_waits = recorder is None or not pure_steps
        self._must_go = False  # Something of other steps is in `waiting`.
        self._on_failed = on_failed
        # What is to be recorded, by cause; asked for at every step.
        self.waiting: list[_Group] = []
        self._unrecorded = 0
        self._recording: asyncio.Task[None] | None = None  # Beside the execution.
        self._flushing = False
        # What is to be done before anything of `waiting` is recorded.
        self.first: Callable[[], Awaitable[None]] | None = None
        self._timer: asyncio.TimerHandle | None = None

    @property
    def unsettled(self) -> bool:
        """Whether anything is not known to be recorded."""
        return bool(self.waiting) or self._recording is not None

    def put(
        self, events: Sequence[ev.Event], cause: str | None, at: datetime | None = None
    ) -> None:
        """Take events in the order they are to be recorded; `at` is when they were decided."""
        if self._on_event is not None:
            for event in events:
                self._on_event(event)
        if self._recorder is None or not events:
            return
        if not self.waiting or self.waiting[-1].cause != cause:
            self.waiting.append(_Group(cause, times=[] if self._pure_steps else None))
        group = self.waiting[-1]
        group.events.extend(events)
        if group.times is not None:
            group.times.extend([at or self._clock.now()] * len(events))
            self._unrecorded += len(events)
            self._must_go = self._must_go or cause is not None or not all(map(self._waits, events))

    @property
    def may_wait(self) -> bool:
        """Whether the log may have what was put in a little later, together with more."""
        if self._never_waits or self._must_go or self._unrecorded >= MAX_UNRECORDED_EVENTS:
            return False
        failed = self._recording is not None and self._recording.done()
        return not failed and not getattr(self._recorder, "records_at_once", False)

    def never_wait(self) -> None:
        """Let nothing run ahead of the log any more."""
        self._never_waits = True

    def flush_later(self) -> bool:
        """Record what was put in within a second, beside the execution; returns True."""
        if self._timer is None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(MAX_UNRECORDED_SECONDS, self.begin_flush)
        return True

    def begin_flush(self) -> None:
        """Record everything put in so far, beside the execution; `flush` waits for it."""
        self._stop_timer()
        if self._recording is None and self.waiting and not self._flushing:
            self._recording = asyncio.create_task(self._flush_all())
            self._recording.add_done_callback(self._recorded)

    async def flush(self) -> None:
        """Return once everything put in so far is acknowledged; one append for each cause.

        Raises:
            RecordingLost: this process may no longer write; what waits here is void.
        """
        if self._timer is not None:
            self._stop_timer()
        if self._recording is not None:
            recording = self._recording
            await asyncio.wait([recording])
            recording.result()
        await self._flush_all()

    def close(self) -> None:
        """Record nothing more beside the execution, which runs no longer."""
        self._stop_timer()
        if self._recording is not None:
            self._recording.cancel()

    async def record_before(self, event: ev.Event) -> None:
        """Record what stands before an event; that and the rest wait on. For use of `first`."""
        while self.waiting:
            group = self.waiting[0]
            found = (index for index, one in enumerate(group.events) if one is event)
            at = next(found, len(group.events))
            before = _Group(group.cause, group.events[:at], group.times and group.times[:at])
            group.events, group.times = group.events[at:], group.times and group.times[at:]
            if not group.events:
                self.waiting.pop(0)
            if before.events:
                await self._record(before)
            if group.events:
                return

    async def _flush_all(self) -> None:
        self._flushing = True
        try:
            if self.first is not None:
                first, self.first = self.first, None
                await first()
            while self.waiting:
                groups, self.waiting = self.waiting, []
                self._unrecorded, self._must_go = 0, False
                for group in groups:
                    await self._record(group)
        finally:
            self._flushing = False

    async def _record(self, group: _Group) -> None:
        assert self._recorder is not None, "nothing is put in without a recorder"
        if group.times is None:
            await self._recorder.record(group.events, cause=group.cause)
        else:
            await self._recorder.record(group.events, cause=group.cause, times=group.times)

    def _waits(self, event: ev.Event) -> bool:
        return type(event) in _OF_STEPS and event.step_id in self._pure_steps  # type: ignore[attr-defined]

    def _recorded(self, recording: asyncio.Task[None]) -> None:
        if recording.cancelled():
            return
        if recording.exception() is None:
            self._recording = None
        else:
            self._on_failed()  # `flush` raises it.

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
