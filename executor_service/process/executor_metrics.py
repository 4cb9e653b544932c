"""The executor's metrics, read when Prometheus asks: nothing is kept up to date meanwhile."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import accumulate
from typing import Final, Protocol

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
    SummaryMetricFamily,
)
from prometheus_client.registry import Collector

from executor_service.context import ExecutorContext
from executor_service.metrics.execution_counts import (
    DURATION_BOUNDS_S,
    AppendCounts,
    Durations,
    ExecutionCounts,
)
from executor_service.partition.owner import PartitionOwner
from executor_service.process.loop_monitor import EventLoopMonitor

_PREFIX: Final = "steplog_executor"
# By partition: name, text, and how its owner tells.
_OF_PARTITION: Final[tuple[tuple[str, str, Callable[[PartitionOwner], int]], ...]] = (
    ("executions_in_memory", "Executions that run or wait here", lambda one: one.in_memory),
    ("executions_parked", "Executions set down until their time", lambda one: one.parked),
    ("open_commands", "Commands taken and not done with", lambda one: one.open_commands),
    ("mark_lag_events", "Events that the next owner would read", lambda one: one.mark_lag),
)


class PartitionsHeld(Protocol):
    """What a `CommandConsumer` tells of its partitions, whatever thread asks."""

    takeovers: int

    def owned(self) -> Mapping[int, PartitionOwner]:
        """Return the partitions that are held now."""

    def stuck_partitions(self) -> Sequence[int]:
        """Return those that can't be taken over until somebody looks."""

    def unready(self) -> str | None:
        """Return why no commands are taken, None while they are."""


class ExecutorCollector(Collector):
    """Reads what the executor counted, and how it stands."""

    def __init__(
        self,
        context: ExecutorContext,
        consumer: PartitionsHeld,
        appends: AppendCounts,
        loop: EventLoopMonitor,
    ) -> None:
        self._context = context
        self._consumer = consumer
        self._appends = appends
        self._loop = loop

    def collect(self) -> Iterable[Metric]:
        """Return the metrics as they stand."""
        yield from self._process()
        yield from self._partitions()
        if self._context.counts is not None:
            yield from _counters(self._context.counts)

    def unready(self) -> str | None:
        """Return why the executor takes no commands, None while it does."""
        return self._consumer.unready()

    def _process(self) -> Iterator[Metric]:
        slots, admission = self._context.slots, self._context.admission
        yield _gauge("in_flight", "Executions that hold a slot", slots.in_use)
        yield _gauge("slots", "Executions that may hold one", slots.capacity)
        waiting = GaugeMetricFamily(
            f"{_PREFIX}_waiting", "Commands that wait to begin, by what for", labels=["reason"]
        )
        for reason, count in admission.waiting().items():
            waiting.add_metric([reason], count)
        yield waiting
        yield _gauge(
            "oldest_wait_seconds",
            "How long the first of them has waited",
            admission.oldest_wait_s(),
        )
        yield _gauge("loop_lag_seconds", "How late the event loop answers", self._loop.lag_s)
        yield _gauge("ready", "1 while commands are taken", int(self._consumer.unready() is None))
        appends = SummaryMetricFamily(
            f"{_PREFIX}_append_seconds", "Batches given to the log until they are acknowledged"
        )
        appends.add_metric([], count_value=self._appends.batches, sum_value=self._appends.seconds)
        yield appends
        yield CounterMetricFamily(
            f"{_PREFIX}_events_appended", "Events in them", value=self._appends.records
        )
        yield CounterMetricFamily(
            f"{_PREFIX}_takeovers", "Partitions taken over", value=self._consumer.takeovers
        )

    def _partitions(self) -> Iterator[Metric]:
        owners = self._consumer.owned()
        for name, text, tell in _OF_PARTITION:
            gauge = GaugeMetricFamily(f"{_PREFIX}_{name}", text, labels=["partition"])
            for partition, owner in owners.items():
                gauge.add_metric([str(partition)], tell(owner))
            yield gauge
        still = GaugeMetricFamily(
            f"{_PREFIX}_partition_stuck",
            "1 where a partition can't be taken over until somebody looks",
            labels=["partition"],
        )
        for partition in self._consumer.stuck_partitions():
            still.add_metric([str(partition)], 1)
        yield still


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(f"{_PREFIX}_{name}", text, value=value)


def _counters(counts: ExecutionCounts) -> Iterator[Metric]:
    executions = CounterMetricFamily(
        f"{_PREFIX}_executions", "Executions by outcome", labels=["pipeline", "outcome"]
    )
    for labels, count in list(counts.executions.items()):
        executions.add_metric(list(labels), count)
    yield executions
    for name, text, found in (
        ("steps", "Visits to steps by outcome", counts.steps),
        ("attempts", "Attempts at steps, started and failed", counts.attempts),
    ):
        family = CounterMetricFamily(
            f"{_PREFIX}_{name}", text, labels=["pipeline", "step", "outcome"]
        )
        for step_labels, count in list(found.items()):
            family.add_metric(list(step_labels), count)
        yield family
    durations = HistogramMetricFamily(
        f"{_PREFIX}_step_duration_seconds",
        "How long the attempts took that completed steps",
        labels=["pipeline", "step"],
    )
    for step, one in list(counts.durations.items()):
        durations.add_metric(list(step), buckets=_cumulative(one), sum_value=one.sum_s)
    yield durations


def _cumulative(durations: Durations) -> list[tuple[str, float]]:
    bounds = [*map(str, DURATION_BOUNDS_S), "+Inf"]
    return list(zip(bounds, accumulate(durations.buckets), strict=True))
