"""Executions, steps and attempts of this process, counted by pipeline, step and outcome."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable
from typing import Final

from steplog_contracts import events as ev

# Upper bounds of a step's duration, in seconds; the last bucket has no bound.
DURATION_BOUNDS_S: Final = (
    0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1_800, 3_600
)  # fmt: skip
# Pipelines and steps counted apart; what comes beyond is counted under `OTHERS`.
MAX_PIPELINES: Final = 200
MAX_STEPS: Final = 1_000
OTHERS: Final = "(others)"
_EXECUTIONS: Final = {
    ev.ExecutionStarted: "started",
    ev.ExecutionCompleted: "completed",
    ev.ExecutionFailed: "failed",
    ev.ExecutionCancelled: "cancelled",
}
_STEPS: Final = {
    ev.StepCompleted: "completed",
    ev.StepFailed: "failed",
    ev.StepCancelled: "cancelled",
    ev.StepSkipped: "skipped",
    ev.StepWaiting: "waiting",
}
_ATTEMPTS: Final = {ev.StepStarted: "started", ev.StepAttemptFailed: "failed"}


class Durations:
    """How long the completed visits to a step took: a histogram, not cumulative."""

    def __init__(self) -> None:
        self.buckets = [0] * (len(DURATION_BOUNDS_S) + 1)
        self.sum_s = 0.0

    def take(self, seconds: float) -> None:
        """Count one."""
        self.buckets[bisect_left(DURATION_BOUNDS_S, seconds)] += 1
        self.sum_s += seconds


class ExecutionCounts:
    """Counters since the process began, with a bounded number of labels."""

    def __init__(self) -> None:
        self.executions: Counter[tuple[str, str]] = Counter()
        self.steps: Counter[tuple[str, str, str]] = Counter()
        self.attempts: Counter[tuple[str, str, str]] = Counter()
        self.durations: dict[tuple[str, str], Durations] = {}
        self._pipelines: set[str] = set()
        self._steps: set[tuple[str, str]] = set()

    def of(self, pipeline: str) -> Callable[[ev.Event], None]:
        """Return what counts the events of an execution of a pipeline."""
        name = self._label(pipeline)
        return lambda event: self._take(name, event)

    def _take(self, pipeline: str, event: ev.Event) -> None:
        kind = type(event)
        if isinstance(event, ev.StepEvent):
            self._take_step(pipeline, kind, event)
        elif kind in _EXECUTIONS:
            self.executions[pipeline, _EXECUTIONS[kind]] += 1

    def _take_step(self, pipeline: str, kind: type[ev.Event], event: ev.StepEvent) -> None:
        outcome = _STEPS.get(kind)
        attempt = _ATTEMPTS.get(kind)
        if outcome is None and attempt is None:
            return
        step = self._step(pipeline, event.step_id)
        if outcome is not None:
            self.steps[*step, outcome] += 1
        if attempt is not None:
            self.attempts[*step, attempt] += 1
        if isinstance(event, ev.StepCompleted):
            self.durations.setdefault(step, Durations()).take(event.duration_ms / 1000)

    def _label(self, pipeline: str) -> str:
        if pipeline not in self._pipelines:
            if len(self._pipelines) >= MAX_PIPELINES:
                return OTHERS
            self._pipelines.add(pipeline)
        return pipeline

    def _step(self, pipeline: str, step_id: str) -> tuple[str, str]:
        # Items of a map are visits to one step.
        step = (pipeline, step_id.partition("[")[0])
        if step not in self._steps:
            if len(self._steps) >= MAX_STEPS:
                return (pipeline, OTHERS)
            self._steps.add(step)
        return step


class AppendCounts:
    """Batches given to the log: how many, of how many records, and how long they took."""

    def __init__(self) -> None:
        self.batches = self.records = 0
        self.seconds = 0.0

    def take(self, records: int, seconds: float) -> None:
        """Count an acknowledged batch."""
        self.batches += 1
        self.records += records
        self.seconds += seconds
