"""Is it alive, can it answer, and the numbers for Prometheus."""

import msgspec
from fastapi import APIRouter, Response
from fastapi.responses import PlainTextResponse
from prometheus_client import CollectorRegistry, Gauge, generate_latest
from pydantic import BaseModel

from tracker_service.freshness import Freshness
from tracker_service.http_api import shapes
from tracker_service.http_api.answers import answer
from tracker_service.http_api.asking import Asked, PartsOfApp

_TEXT = "text/plain; version=0.0.4; charset=utf-8"


class ReadyAnswer(shapes.Answer):
    """Questions can be answered."""

    status: str
    tracker: str


class PartitionShape(BaseModel):
    """How far one partition is applied."""

    partition: int
    next_offset: int
    end_offset: int
    gap: int
    lag_s: float


class PartitionsAnswer(shapes.Answer):
    """How far each partition is applied."""

    partitions: list[PartitionShape]


router = APIRouter(tags=["health"])


@router.get("/healthz")
async def healthz() -> Response:
    """Answer as long as the process runs."""
    return Response(msgspec.json.encode({"status": "ok"}), media_type="application/json")


@router.get("/readyz", responses=shapes.answers(ReadyAnswer))
async def readyz(parts: PartsOfApp) -> Response:
    """Answer 200 while questions can be answered; says whether a worker keeps rows fresh."""
    freshness = await parts.model.freshness(parts.topic)
    return answer({"status": "ready", "tracker": freshness.tracker}, freshness)


@router.get("/api/freshness", responses=shapes.answers(PartitionsAnswer))
async def get_freshness(asked: Asked) -> Response:
    """Return applied position, gap and lag of each partition."""
    freshness = asked.freshness
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
    return asked.answer({"partitions": partitions})


@router.get("/metrics", response_class=PlainTextResponse)
async def metrics(parts: PartsOfApp) -> Response:
    """Return gap and lag by partition, and unresolved dead letters."""
    freshness = await parts.model.freshness(parts.topic)
    letters = await parts.model.dead_letter_count()
    return Response(_metrics(freshness, letters), media_type=_TEXT)


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
