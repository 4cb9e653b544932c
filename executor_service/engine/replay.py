"""A recorded execution led through another definition: would it have gone the same way?

No step runs. Each visit ends as its record says, in the recorded order, and the other definition's
conditions decide where the flow goes from there. The first difference is the answer; behind it the
recorded results say nothing any more.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from executor_service.engine import completion, decide
from executor_service.engine.cancelled_visits import stopped
from executor_service.engine.fold import evolve
from executor_service.engine.path_choice import ANY_ERROR, paths_taken
from executor_service.engine.plan import PathPlan, Plan, StepPlan
from executor_service.engine.state import Planned, State, initial
from executor_service.engine.visit import Visit
from executor_service.errors import ConditionFailed, LoopBoundExceeded
from steplog_contracts import events as ev
from steplog_contracts.payload import JsonObject, JsonValue

VisitKey = tuple[str, int]
Ended = ev.StepCompleted | ev.StepFailed
# Times don't matter to where a flow goes, but loops and schedules ask for one.
_NO_TIME = datetime(1970, 1, 1, tzinfo=UTC)


def _no_time() -> datetime:
    return _NO_TIME


@dataclass(frozen=True, slots=True)
class Divergence:
    """Where an execution would have gone another way.

    `input`: it would be refused; `route`: other paths from a step; `new_step`: a step begins that
    has no record; `failure`: a step's failure would end the execution, or no longer does; `bound`:
    a loop's bound is passed; `condition`: a condition can't be evaluated; `not_reached`: what was
    recorded comes no more.
    """

    kind: Literal["input", "route", "new_step", "failure", "bound", "condition", "not_reached"]
    step_id: str = ""
    iteration: int = 0
    recorded: tuple[str, ...] = ()  # Steps or end markers, as recorded.
    would: tuple[str, ...] = ()  # The same under the other definition.
    message: str = ""


def rehearse(
    changed: Planned, recorded: Plan, events: Sequence[ev.Event], parameters: JsonObject
) -> Divergence | None:
    """Return the first difference, or None if the execution goes the same way.

    Args:
        changed: the definition in question.
        recorded: the plan the execution ran under.
        events: its recorded events, the first of them ExecutionStarted.
        parameters: parameter values under the changed definition.
    """
    started = events[0]
    assert isinstance(started, ev.ExecutionStarted)
    state = initial(changed)
    evolve(state, started.model_copy(update={"parameters": parameters}))
    return _Rehearsal(state, recorded, events).play()


class _Rehearsal:
    def __init__(self, state: State, recorded: Plan, events: Sequence[ev.Event]) -> None:
        self._state = state
        self._recorded = recorded
        self._completed = isinstance(events[-1], ev.ExecutionCompleted)
        # What became of a map's items is in the end of the map itself.
        steps = [e for e in events if isinstance(e, ev.StepEvent) and e.item_index is None]
        # One that only waited for its time may never have been started.
        begins = (ev.StepStarted, ev.StepScheduled)
        self._begun = {_key(event) for event in steps if isinstance(event, begins)}
        turns = (event for event in events if isinstance(event, ev.ExecutionDeadlinePassed))
        self._turn = next(turns, None)
        self._ends: dict[VisitKey, Ended] = {
            _key(event): event for event in steps if isinstance(event, Ended)
        }

    def play(self) -> Divergence | None:
        state = self._state
        while True:
            if state.finishing:
                return self._finished()
            failure = completion.reason_to_fail(state, _no_time)
            if failure is not None:
                return self._stopped(failure)
            unknown = self._begin()
            if unknown is not None:
                return unknown
            key = self._next_end()
            if key is None:
                if self._turns():
                    continue
                return self._left_out()
            difference = self._end(state.visits[key[0]], self._ends.pop(key))
            if difference is not None:
                return difference

    def _begin(self) -> Divergence | None:
        """Begin what may begin; a visit without a record is a difference."""
        begun = decide.starts(self._state, _no_time)
        while begun and self._state.plan.joins:
            difference = self._take(begun)
            if difference is not None:
                return difference
            begun = decide.starts(self._state, _no_time)
        return self._take(begun)

    def _take(self, begun: Sequence[ev.Event]) -> Divergence | None:
        for event in begun:
            if isinstance(event, ev.StepCancelled):
                evolve(self._state, event)
                self._ends.pop(_key(event), None)
                continue
            assert isinstance(event, ev.StepStarted | ev.StepScheduled)
            key = _key(event)
            if key not in self._begun and (self._ends or self._completed):
                return Divergence("new_step", *key, message="It has no recorded result.")
            evolve(self._state, event)
            if isinstance(event, ev.StepScheduled):
                evolve(self._state, decide.due(self._state, event.step_id, event.due_at)[0])
        return None

    def _next_end(self) -> VisitKey | None:
        """Return the open visit whose recorded end came first."""
        open_visits = {(step_id, v.iteration) for step_id, v in self._state.visits.items()}
        return next((key for key in self._ends if key in open_visits), None)

    def _turns(self) -> bool:
        """Pass the deadline where the record did, if it leads to the same step here."""
        turn, limits = self._turn, self._state.plan.limits
        deadline = None if limits is None else limits.deadline
        if turn is None or deadline is None or deadline.then != turn.to_step:
            return False
        self._turn = None
        evolve(self._state, turn)
        for visit in list(self._state.visits.values()):
            evolve(self._state, stopped(visit))
        return True

    def _end(self, visit: Visit, end: Ended) -> Divergence | None:
        step, state = visit.step, self._state
        key = (step.id, visit.iteration)
        caught: PathPlan | None = None
        failed = isinstance(end, ev.StepFailed)
        if isinstance(end, ev.StepFailed):
            caught = self._caught(step, end)
            goes_on = caught is not None or step.continue_on_error
            if end.continued != goes_on:
                would = "go on" if goes_on else "end the execution"
                return Divergence("failure", *key, message=f"The step's failure would {would}.")
            if not end.continued:
                evolve(state, end)
                return None
        try:
            output = end.output if step.condition is None or failed else self._condition(visit)
            taken = (caught.index,) if caught else paths_taken(state, visit, output, failed=failed)
        except ConditionFailed as problem:
            return Divergence("condition", *key, message=str(problem))
        was = tuple(self._recorded.paths[index].to_id for index in end.taken)
        would_be = tuple(state.plan.paths[index].to_id for index in taken)
        if was != would_be:
            return Divergence("route", *key, recorded=was, would=would_be)
        evolve(state, end.model_copy(update={"taken": taken, "output": output}))
        return None

    def _caught(self, step: StepPlan, end: ev.StepFailed) -> PathPlan | None:
        """Return the path that a recorded error would be caught by, as far as its names are known:
        its class, and where it was caught then, a base of it by which it was."""
        names = {end.error.type, end.error.type.rpartition(".")[2], ANY_ERROR}
        for index in end.taken:
            catch = self._recorded.paths[index].catch
            names |= catch.errors if catch is not None else frozenset()
        caught = (path for path in step.outgoing if path.catch is not None)
        return next((path for path in caught if path.catch and path.catch.errors & names), None)

    def _finished(self) -> Divergence | None:
        """It completes here; so did the record, unless something began after it."""
        beside = {(step_id, visit.iteration) for step_id, visit in self._state.visits.items()}
        return None if self._ends.keys() <= beside else self._left_out()

    def _condition(self, visit: Visit) -> JsonValue:
        """A step of type `condition` runs no code, so its result is worked out anew."""
        assert visit.step.condition is not None
        return visit.step.condition(self._state.reading(visit.scope))

    def _stopped(self, failure: ev.ErrorInfo) -> Divergence | None:
        """The rehearsal fails here; so did the record, unless more of it is left.

        What ended in the same moment as the step that failed is recorded before the failure.
        """
        beside = {(step_id, visit.iteration) for step_id, visit in self._state.visits.items()}
        if self._ends.keys() <= beside and not self._completed:
            return None
        step_id = failure.step_id or ""
        kind: Literal["bound", "failure"]
        kind = "bound" if failure.type == LoopBoundExceeded.__name__ else "failure"
        iteration = self._state.iterations.get(step_id, 0) + (kind == "bound")
        return Divergence(kind, step_id, iteration, message=failure.message)

    def _left_out(self) -> Divergence | None:
        if not self._ends:
            return None
        step_id, iteration = next(iter(self._ends))
        return Divergence(
            "not_reached", step_id, iteration, message="The flow would not come to it."
        )


def _key(event: ev.StepEvent) -> VisitKey:
    return event.step_id, event.iteration
