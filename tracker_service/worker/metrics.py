"""The worker's own counters for Prometheus and whether it is ready, where a port is set."""

import threading
from collections.abc import Callable, Collection, Iterable, Iterator
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from prometheus_client import CollectorRegistry, make_wsgi_app
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from tracker_service.projections.errors import TrackerError
from tracker_service.projector.projector import Applied
from tracker_service.worker.watchdog import Watchdog


class MetricsPortTaken(TrackerError):
    """The address for the worker's metrics can't be listened on."""


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


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the parent's name
        """Write nothing: a probe a second is no news."""


def worker_page(registry: CollectorRegistry, unready: Callable[[], str | None]) -> Any:
    """Return a WSGI app: `/readyz` tells what `unready` says, anything else the metrics."""
    metrics = make_wsgi_app(registry)

    def page(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if environ.get("PATH_INFO") != "/readyz":
            found: Iterable[bytes] = metrics(environ, start_response)
            return found
        sentence = unready()
        status = "200 OK" if sentence is None else "503 Service Unavailable"
        start_response(status, [("Content-Type", "text/plain; charset=utf-8")])
        return [(sentence or "ready").encode()]

    return page


def serve_metrics(
    host: str,
    port: int,
    applied: Applied,
    watchdog: Watchdog,
    unready: Callable[[], str | None],
    lost: Collection[int] = (),
) -> None:
    """Answer /metrics and /readyz at http://host:port from a thread; raises `MetricsPortTaken`."""
    registry = CollectorRegistry()
    registry.register(WorkerCollector(applied, watchdog, lost))
    try:
        server = make_server(
            host, port, worker_page(registry, unready), server_class=_Server, handler_class=_Quiet
        )
    except OSError as error:
        raise MetricsPortTaken(
            f"The worker's metrics can't be served at {host}:{port}: {error.strerror}; set "
            "STEPLOG_TRACKER_METRICS_PORT to a free port, or to 0 for none."
        ) from error
    threading.Thread(target=server.serve_forever, name="metrics", daemon=True).start()
