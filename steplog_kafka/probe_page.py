"""A process's own page for probes and Prometheus: `/readyz` and `/metrics`, from a thread."""

import threading
from collections.abc import Callable, Iterable
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from prometheus_client import CollectorRegistry, make_wsgi_app
from prometheus_client.registry import Collector

from steplog_contracts.errors import SteplogError


class MetricsPortTaken(SteplogError):
    """The address for a process's metrics can't be listened on."""


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the parent's name
        """Write nothing: a probe a second is no news."""


def probe_page(registry: CollectorRegistry, unready: Callable[[], str | None]) -> Any:
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


def serve_probe_page(
    host: str,
    port: int,
    collector: Collector,
    unready: Callable[[], str | None],
    *,
    setting: str,
) -> None:
    """Answer at http://host:port from a thread that ends with the process.

    Raises:
        MetricsPortTaken: the address can't be listened on; `setting` names the port.
    """
    registry = CollectorRegistry()
    registry.register(collector)
    try:
        server = make_server(
            host, port, probe_page(registry, unready), server_class=_Server, handler_class=_Quiet
        )
    except OSError as error:
        raise MetricsPortTaken(
            f"Metrics can't be served at {host}:{port}: {error.strerror}; set {setting} to a free "
            "port, or to 0 for none."
        ) from error
    threading.Thread(target=server.serve_forever, name="metrics", daemon=True).start()
