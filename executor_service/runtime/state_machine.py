"""An execution's state on its way: events folded, put out for recording, and what they set off."""

from collections.abc import Sequence
from datetime import datetime

from executor_service.engine import (
    child_decisions,
    completion,
    decide,
    human_waits,
    map_decisions,
)
from executor_service.engine.cancelled_visits import stopped
from executor_service.engine.child_decisions import ChildBegun, ChildTimedOut
from executor_service.engine.delays import cap_delay
from executor_service.engine.fold import evolve
from executor_service.engine.limits import too_late, turned
from executor_service.engine.state import State
from executor_service.engine.succession import succeed
from executor_service.engine.visit import Visit
from executor_service.errors import StartedTooLate
from executor_service.ports.runtime import Clock
from executor_service.runtime.attempt_result import AttemptResult, Returned, TryAgain
from executor_service.runtime.event_buffer import EventBuffer
from executor_service.runtime.human_answers import Answers
from executor_service.runtime.timers import Timers
from steplog_contracts import events as ev
from steplog_contracts.payload import JsonValue


class StateMachine:
    """Applies decisions to a state and remembers what is to be launched, timed and recorded."""

    def __init__(self, state: State, outbox: EventBuffer, clock: Clock) -> None:
        self.state = state
        self._clock = clock
        self.timers = Timers()
        self._due: dict[str, None] = {}  # Scheduled starts and next attempts whose time has come.
        self.launches: list[tuple[str, bool]] = []  # Step, and whether for an expired wait.
        self.stops: list[str] = []  # Steps whose branches nothing waits for any more.
        self.given_up: list[ev.StepCancelled] = []  # The same, where they may have children.
        self.raised: BaseException | None = None  # The exception of the step that failed it.
        self._outbox = outbox

    def fold(
        self, events: Sequence[ev.Event], now: datetime | None = None, cause: str | None = None
    ) -> None:
        """Fold events into the state and put them where they are recorded from.

        `now` matters to beginnings alone, of executions and of steps in loops: durations and loops
        are measured from them.
        """
        state = self.state
        for event in events:
            evolve(state, event, now)
            kind = type(event)
            if kind is ev.StepCompleted:
                continue
            if kind is ev.StepStarted:
                if event.step_id not in state.maps:  # type: ignore[attr-defined]
                    self.launches.append((event.step_id, False))  # type: ignore[attr-defined]
            elif kind is ev.StepCancelled:
                self._stop(event)  # type: ignore[arg-type]
            elif kind in _TIMED:
                self.timers.set(state.visits[event.step_id])  # type: ignore[attr-defined]
        self._outbox.put(events, cause, now)

    def begin(
        self,
        started: ev.ExecutionStarted,
        cause: str | None,
        not_before: datetime | None,
        asked_at: datetime | None,
    ) -> None:
        """Begin the execution, now or at a time; or end it at once, where its turn came too late
        after it was asked for."""
        now = self._clock.now()
        if not_before is not None:
            asked_at = not_before if asked_at is None else max(asked_at, not_before)
        self.fold([started], now, cause)
        late = too_late(self.state.plan.limits, asked_at, now)
        if late is not None:
            error = ev.ErrorInfo(type=StartedTooLate.__name__, message=late)
            self.fold(completion.failing(self.state, error, now), now, cause)
        elif not_before is not None and not_before > now:
            self.fold(decide.scheduled_start(self.state, not_before), now, cause)

    @property
    def only_launch(self) -> Visit | None:
        """The visit to run in the execution's own task: all that lives in the execution."""
        launches, state = self.launches, self.state
        visits = state.visits
        if len(launches) != 1 or len(visits) - len(state.maps) != 1:
            return None
        step_id, expired = launches[0]
        return None if expired else visits[step_id]

    def take(self, step_id: str, result: AttemptResult) -> None:
        """Take what came out of an attempt."""
        if isinstance(result, Returned):
            events = decide.returned(
                self.state,
                step_id,
                result.output,
                clock=self._clock.now,
                duration_ms=result.duration_ms,
                fallback_for=result.fallback_for,
            )
        elif isinstance(result, TryAgain):
            events = decide.failed_attempt(
                self.state,
                step_id,
                result.error,
                retry_at=self._clock.now() + result.delay,
                progress=result.progress,
                duration_ms=result.duration_ms,
            )
        elif isinstance(result, ChildBegun):
            now = self._clock.now()
            events = child_decisions.begun(self.state, step_id, result.child_id, now)
        elif isinstance(result, ChildTimedOut):
            visit = self.state.visits[step_id]
            error, now = child_decisions.timed_out(visit), self._clock.now()
            events = child_decisions.failed(self.state, visit, error, now, result.fraction)
        else:
            events = decide.gave_up(
                self.state, step_id, result.error, result.raised, duration_ms=result.duration_ms
            )
            if self.raised is None and _fails(events[-1]):
                self.raised = result.raised
        self.fold(events)

    def succeed(self, visit: Visit, result: Returned) -> bool:
        """Take a result that only one step can follow, and begin that; False, with nothing done,
        where more is to be asked."""
        if result.fallback_for is not None:
            return False
        events = succeed(self.state, visit, result.output, result.duration_ms)
        if events is None:
            return False
        self.launches.append((events[1].step_id, False))
        self._outbox.put(events, None)
        return True

    def end_waits(self, now: datetime) -> None:
        """End the waits that have expired; where that leads to is not begun yet."""
        state = self.state
        for step_id in self.timers.take_due(state, now):
            status = state.visits[step_id].status
            if status == "child":
                self.launches.append((step_id, True))
                continue
            if status != "waiting":
                self._due[step_id] = None
                continue
            self.fold(decide.due(state, step_id, now), now)
            self._end_wait(step_id, now)

    def end_maps(self) -> None:
        """Record the ends of maps whose items are done with."""
        for map_id in [m for m in self.state.maps if map_decisions.is_over(self.state, m)]:
            self.fold(map_decisions.map_end(self.state, map_id))

    @property
    def at_an_end(self) -> bool:
        """Whether a map can end at once: nothing is to be waited for."""
        return any(map_decisions.is_over(self.state, map_id) for map_id in self.state.maps)

    def begin_steps(self, cause: str | None) -> None:
        """Begin what may begin; where no branch is left, complete the execution."""
        state = self.state
        if self._due:
            due, self._due = self._due, {}
            now = self._clock.now()
            for step_id in due:
                self.fold(decide.due(state, step_id, now), now)
        begun = decide.starts(state, self._clock.now)
        if begun:
            # Nobody asks when steps began that don't come round, unless limits count from it.
            at = self._clock.now() if state.plan.steps_on_cycles or state.plan.limits else None
            self.fold(begun, at, cause)
            while state.plan.joins and not completion.must_end(state, self._clock.now):
                more = decide.starts(state, self._clock.now)
                if not more:
                    break
                self.fold(more, at, cause)
        if state.maps:
            for map_id in state.maps:
                self.fold(map_decisions.item_starts(state, map_id, self._clock.now))
        elif not begun and completion.everything_ended(state):
            now = self._clock.now()
            self.fold(completion.completion(state, now), now, cause)

    def take_answers(self, answers: Answers, now: datetime) -> None:
        """Record the answers that were accepted, each followed by its step's end."""
        for visit, answer in answers.take(self.state):
            given = human_waits.answer(visit, answer.human_input, answer.responded_by)
            self.fold(given, now, answer.cause)
            self._end_wait(visit.step.id, now, answer.cause)

    def resume(self, now: datetime) -> bool:
        """Go on with visits that were open when the state was folded, or when it paused.

        Returns whether one of them was lost with its process.
        """
        lost = False
        for step_id, visit in list(self.state.visits.items()):
            if visit.status == "running" and visit.step.child is not None:
                self.launches.append((step_id, False))  # Asked for again: it is the same child.
            elif visit.status == "running":
                lost = True
                self.fold(decide.lost(self.state, step_id), now)
            elif visit.status == "answered":
                self._end_wait(step_id, now)
            elif visit.status == "stopped":
                self.fold([stopped(visit)], now)
            elif visit.status != "mapping":
                cap_delay(self.state, visit, now)
                self.timers.set(visit)
        return lost

    def _stop(self, event: ev.StepCancelled) -> None:
        if event.superseded_by is not None:
            self.stops.append(event.step_id)
            if self.state.plan.has_children:
                self.given_up.append(event)
            self.launches = [launch for launch in self.launches if launch[0] != event.step_id]

    def turn(self, now: datetime) -> None:
        """Send the flow to its deadline's step; what runs has been stopped."""
        self.launches.clear()
        self.fold(turned(self.state, now), now)

    def progressed(self, visit: Visit, progress: JsonValue) -> None:
        """Take what a running visit says of itself, if it runs still."""
        state = self.state
        if state.visits.get(visit.step.id) is visit and visit.status == "running":
            self.fold([decide.progressed(visit, progress)])
            self._outbox.begin_flush()

    def _end_wait(self, step_id: str, now: datetime, cause: str | None = None) -> None:
        events = human_waits.answered(self.state, step_id)
        if events is None:
            self.launches.append((step_id, True))
        else:
            self.fold(events, now, cause)


def _fails(event: ev.Event) -> bool:
    return isinstance(event, ev.StepFailed) and not event.continued


_TIMED = frozenset({ev.StepScheduled, ev.StepAttemptFailed, ev.StepWaiting, ev.StepChildStarted})
