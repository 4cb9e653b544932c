"""A process's own page: ready or why not, and a port that is taken."""

import urllib.error
import urllib.request
from collections.abc import Iterable

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from steplog.local.ports import free_ports
from steplog_kafka.probe_page import MetricsPortTaken, probe_page, serve_probe_page


class One(Collector):
    """A single metric."""

    def collect(self) -> Iterable[Metric]:
        """Return it."""
        yield GaugeMetricFamily("steplog_test", "One", value=1)


def ready(unready: str | None) -> tuple[str, str]:
    """Ask a page whether its process is ready; return status and text."""
    told: list[str] = []
    page = probe_page(CollectorRegistry(), lambda: unready)
    body = page({"PATH_INFO": "/readyz"}, lambda status, _headers: told.append(status))
    return told[0], b"".join(body).decode()


def test_a_process_is_ready_or_says_why_not() -> None:
    assert ready(None) == ("200 OK", "ready")
    assert ready("Partition 3 did not move.") == (
        "503 Service Unavailable",
        "Partition 3 did not move.",
    )


def test_it_answers_over_http_and_a_port_that_is_taken_is_told() -> None:
    port = free_ports(1)[0]
    serve_probe_page("127.0.0.1", port, One(), lambda: "away", setting="STEPLOG_X_PORT")

    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        assert b"steplog_test 1.0" in answer.read()
    with pytest.raises(urllib.error.HTTPError, match="503"):
        urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=10)
    with pytest.raises(MetricsPortTaken, match="set STEPLOG_X_PORT to a free port, or to 0"):
        serve_probe_page("127.0.0.1", port, One(), lambda: None, setting="STEPLOG_X_PORT")
