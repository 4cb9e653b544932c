"""The worker's counters, as Prometheus reads them."""

from prometheus_client import CollectorRegistry, generate_latest

from tracker_service.projections.row_changes import Counts
from tracker_service.projector.projector import Applied
from tracker_service.worker.metrics import WorkerCollector
from tracker_service.worker.watchdog import Watchdog


def test_counters_and_gaps_are_told_as_they_stand() -> None:
    watchdog = Watchdog(stall_timeout_s=60.0, started_s=0.0)
    watchdog.assigned({3: 10}, now_s=0.0)
    watchdog.beat({3: 14}, store_away=False, now_s=1.0)
    registry = CollectorRegistry()
    registry.register(WorkerCollector(Applied(events=7, counts=Counts(stale=2)), watchdog))

    text = generate_latest(registry).decode()

    assert "steplog_tracker_events_total 7.0" in text
    assert "steplog_tracker_stale_total 2.0" in text
    assert 'steplog_tracker_worker_gap_events{partition="3"} 4.0' in text
