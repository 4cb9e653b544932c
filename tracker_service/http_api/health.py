"""Is it alive, can it answer, and the numbers for Prometheus."""

import msgspec
from fastapi import APIRouter, Response
from prometheus_client import CollectorRegistry, Gauge, generate_latest

from tracker_service.freshness import Freshness
from tracker_service.http_api.answers import answer
from tracker_service.store.reading import ReadModel

_TEXT = "text/plain; version=0.0.4; charset=utf-8"


def routes(model: ReadModel, topic: str) -> APIRouter:
    """Return the routes over a read model."""
    router = APIRouter(tags=["health"])

    @router.get("/healthz")
    async def healthz() -> Response:
        """Answer as long as the process runs."""
        return Response(msgspec.json.encode({"status": "ok"}), media_type="application/json")

    @router.get("/readyz")
    async def readyz() -> Response:
        """Answer 200 while questions can be answered; says whether a worker keeps rows fresh."""
        freshness = await model.freshness(topic)
        return answer({"status": "ready", "tracker": freshness.tracker}, freshness)

    @router.get("/api/freshness")
    async def get_freshness() -> Response:
        """Return applied position, gap and lag of each partition."""
        freshness = await model.freshness(topic)
        partitions = [
            {
                "partition": one.partition,
                "next_offset": one.next_offset,
                "end_offset": one.end_offset,
                "gap": one.gap,
                "lag_s": round(one.lag_s(freshness.now), 3),
            }
            for one in freshness.partitions
        ]
        return answer({"partitions": partitions}, freshness)

    @router.get("/metrics")
    async def metrics() -> Response:
        """Return gap and lag by partition, and unresolved dead letters."""
        freshness = await model.freshness(topic)
        letters = await model.dead_letter_count()
        return Response(_metrics(freshness, letters), media_type=_TEXT)

    return router


def _metrics(freshness: Freshness, dead_letters: int) -> bytes:
    registry = CollectorRegistry()
    labels = ["partition"]
    gap = Gauge("steplog_tracker_gap_events", "Events not applied", labels, registry=registry)
    lag = Gauge("steplog_tracker_lag_seconds", "Seconds behind", labels, registry=registry)
    position = Gauge("steplog_tracker_position", "Next offset", labels, registry=registry)
    letters = Gauge("steplog_tracker_dead_letters", "Unresolved", registry=registry)
    for partition in freshness.partitions:
        label = str(partition.partition)
        gap.labels(label).set(partition.gap)
        lag.labels(label).set(partition.lag_s(freshness.now))
        position.labels(label).set(partition.next_offset)
    letters.set(dead_letters)
    return generate_latest(registry)
