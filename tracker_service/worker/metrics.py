"""The worker's own counters for Prometheus."""

from collections.abc import Collection, Iterable, Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from tracker_service.projector.projector import Applied
from tracker_service.worker.watchdog import Watchdog


class WorkerCollector(Collector):
    """Reads what the projector counted and what the watchdog knows, when asked."""

    def __init__(self, applied: Applied, watchdog: Watchdog, lost: Collection[int] = ()) -> None:
        self._applied = applied
        self._watchdog = watchdog
        self._lost = lost

    def collect(self) -> Iterable[Metric]:
        """Return the metrics as they stand."""
        yield from self._counters()
        gap = GaugeMetricFamily(
            "steplog_tracker_worker_gap_events", "Events not applied", labels=["partition"]
        )
        for partition in list(self._watchdog.positions):
            gap.add_metric([str(partition)], self._watchdog.gap(partition))
        yield gap
        lost = GaugeMetricFamily(
            "steplog_tracker_worker_log_lost",
            "1 where the log lost records that rows were made from",
            labels=["partition"],
        )
        for partition in list(self._watchdog.positions):
            lost.add_metric([str(partition)], int(partition in self._lost))
        yield lost

    def _counters(self) -> Iterator[Metric]:
        applied, counts = self._applied, self._applied.counts
        for name, text, value in (
            ("events", "Records passed in the log", applied.events),
            ("batches", "Transactions", applied.batches),
            ("set_aside", "Records set aside", applied.set_aside),
            ("conflicts", "Batches whose position had moved", applied.conflicts),
            ("repeats", "Events seen before", counts.repeats),
            ("stale", "Events of a former owner", counts.stale),
            ("unknown", "Events of an unknown kind", counts.unknown),
            ("after_end", "Events after an execution's end", counts.after_end),
        ):
            yield CounterMetricFamily(f"steplog_tracker_{name}", text, value=value)
