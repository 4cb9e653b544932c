"""The worker's own counters for Prometheus, where a port is set."""

from collections.abc import Iterable, Iterator

from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from tracker_service.projections.errors import TrackerError
from tracker_service.projector import Applied
from tracker_service.watchdog import Watchdog


class MetricsPortTaken(TrackerError):
    """The address for the worker's metrics can't be listened on."""


class WorkerCollector(Collector):
    """Reads what the projector counted and what the watchdog knows, when asked."""

    def __init__(self, applied: Applied, watchdog: Watchdog) -> None:
        self._applied = applied
        self._watchdog = watchdog

    def collect(self) -> Iterable[Metric]:
        """Return the metrics as they stand."""
        yield from self._counters()
        gap = GaugeMetricFamily(
            "steplog_tracker_worker_gap_events", "Events not applied", labels=["partition"]
        )
        for partition in list(self._watchdog.positions):
            gap.add_metric([str(partition)], self._watchdog.gap(partition))
        yield gap

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


def serve_metrics(host: str, port: int, applied: Applied, watchdog: Watchdog) -> None:
    """Answer at http://host:port/metrics from a thread; raises `MetricsPortTaken`."""
    registry = CollectorRegistry()
    registry.register(WorkerCollector(applied, watchdog))
    try:
        start_http_server(port, host, registry)
    except OSError as error:
        raise MetricsPortTaken(
            f"The worker's metrics can't be served at {host}:{port}: {error.strerror}; set "
            "STEPLOG_TRACKER_METRICS_PORT to a free port, or to 0 for none."
        ) from error
