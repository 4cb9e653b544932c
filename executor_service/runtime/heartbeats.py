"""What running steps say of themselves, and how much of that is recorded.

`heartbeat()` is called from the event loop or from a step's thread, as often as a step likes. Only
the newest progress counts. It is recorded at most once a second for each visit, and less often the
longer the visit runs (a hundredth of that time), so the history of a step that runs for a day stays
short. What is not on record when an attempt fails goes into the record of its failure.
"""

import asyncio
from collections.abc import Callable
from typing import Final

from executor_service.engine.values import ABSENT, Absent, plain
from executor_service.engine.visit import Visit
from executor_service.errors import AttemptOver, ResultNotJson
from executor_service.ports.runtime import Clock
from executor_service.runtime.step_invocation import StepCall
from executor_service.steps.step import StepContext
from steplog_contracts.payload import JsonValue, canonical_json

MIN_INTERVAL_SECONDS: Final = 1.0
# Of the time that a visit has run so far.
INTERVAL_SHARE: Final = 0.01
MAX_PROGRESS_BYTES: Final = 16_384

# Records a visit's progress.
Progressed = Callable[[Visit, JsonValue], None]


class _Pulse:
    """The heartbeats of one attempt, from the first on."""

    __slots__ = ("loop", "progress", "scheduled", "visit")

    def __init__(self, visit: Visit, loop: asyncio.AbstractEventLoop | None) -> None:
        assert loop is not None, "a step that speaks runs"
        self.visit = visit
        self.loop = loop
        self.progress: JsonValue | Absent = ABSENT  # The newest that is not on record.
        self.scheduled = False


class Heartbeats:
    """The heartbeats of one execution's steps."""

    def __init__(self, clock: Clock, progressed: Progressed) -> None:
        self._clock = clock
        self._progressed = progressed
        self._running: dict[str, tuple[Visit, int, StepCall]] = {}  # Most of them say nothing.
        self._pulses: dict[str, _Pulse] = {}
        self._loop: asyncio.AbstractEventLoop | None = None  # Known once a step runs.
        # Of a visit, by its step: its iteration, when it began, when it was recorded last.
        self._times: dict[str, tuple[int, float, float]] = {}

    def begin(self, visit: Visit, calling: StepCall) -> None:
        """Listen to an attempt that begins."""
        if self._loop is None:
            self._loop = asyncio.get_running_loop()
        self._running[visit.step.id] = (visit, visit.attempt, calling)

    def end(self, visit: Visit) -> JsonValue:
        """Listen no more; return the newest progress that is not on record, or None."""
        self._running.pop(visit.step.id, None)
        pulse = self._pulses.pop(visit.step.id, None) if self._pulses else None
        return None if pulse is None or pulse.progress is ABSENT else pulse.progress

    def forget(self, step_id: str) -> None:
        """Know nothing more of a step's visits."""
        if self._times:
            self._times.pop(step_id, None)

    def heard(self, context: StepContext, progress: JsonValue) -> None:
        """Take a heartbeat, from whatever thread.

        Raises:
            ResultNotJson: the progress is no JSON, or too large.
            AttemptOver: the attempt has ended; its code may stop.
        """
        running = self._running.get(context.step_id)
        if running is None or _attempt_of(running) != (context.iteration, context.attempt):
            raise AttemptOver(
                f"Attempt {context.attempt} at step '{context.step_id}' is over: it took too long "
                "or was stopped, and nothing it does is wanted any more."
            )
        progress = _fitting(progress)
        visit, _, calling = running
        calling.heard()
        pulse = self._pulses.setdefault(context.step_id, _Pulse(visit, self._loop))
        pulse.progress = progress
        if not pulse.scheduled:
            pulse.scheduled = True
            pulse.loop.call_soon_threadsafe(self._take, pulse)

    def _take(self, pulse: _Pulse) -> None:
        """Record the newest progress, now or once it may be."""
        if self._pulses.get(pulse.visit.step.id) is not pulse:
            return
        step_id, now_s = pulse.visit.step.id, self._clock.monotonic_s()
        iteration, began_s, newest_s = self._times.get(step_id, (0, now_s, -1.0))
        if iteration != pulse.visit.iteration:
            began_s, newest_s = now_s, -1.0
        interval_s = max(MIN_INTERVAL_SECONDS, (now_s - began_s) * INTERVAL_SHARE)
        left_s = 0.0 if newest_s < 0 else newest_s + interval_s - now_s
        if left_s > 0:
            pulse.loop.call_later(left_s, self._take, pulse)
            return
        progress, pulse.progress, pulse.scheduled = pulse.progress, ABSENT, False
        self._times[step_id] = (pulse.visit.iteration, began_s, now_s)
        if progress is not ABSENT:
            self._progressed(pulse.visit, progress)


def _attempt_of(running: tuple[Visit, int, StepCall]) -> tuple[int, int]:
    return running[0].iteration, running[1]


def _fitting(progress: JsonValue) -> JsonValue:
    try:
        written = plain(progress)
    except ResultNotJson as error:
        raise ResultNotJson(f"What heartbeat() was given is no JSON. {error}") from error
    size_bytes = len(canonical_json(written))
    if size_bytes > MAX_PROGRESS_BYTES:
        raise ResultNotJson(
            f"What heartbeat() was given has {size_bytes} bytes; give at most "
            f"{MAX_PROGRESS_BYTES}, and keep what is larger in a store of your own."
        )
    return written
