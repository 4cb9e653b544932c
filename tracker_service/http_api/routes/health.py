"""Is it alive, can it answer, and the numbers for Prometheus."""

from dataclasses import asdict
from datetime import datetime

import msgspec
from fastapi import APIRouter, Response
from fastapi.responses import PlainTextResponse
from prometheus_client import CollectorRegistry, Counter, Gauge, generate_latest
from pydantic import BaseModel, Field

from tracker_service.http_api import schemas
from tracker_service.http_api.problems import NotReady
from tracker_service.http_api.query_context import Asked, PartsOfApp
from tracker_service.http_api.responses import answer, record
from tracker_service.store.freshness import Freshness
from tracker_service.store.queries import Drift

_TEXT = "text/plain; version=0.0.4; charset=utf-8"


class ReadyAnswer(schemas.Answer):
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
    log_lost: str | None = None


class PartitionsAnswer(schemas.Answer):
    """How far each partition is applied."""

    partitions: list[PartitionShape]


class DriftShape(BaseModel):
    """Executions checked so far, and rows that differ from the log now."""

    checked_at: datetime | None
    checked: int
    drifted_executions: int
    drifted_rows: int
    last_execution_id: str | None


class DriftAnswer(schemas.Answer):
    """What the check of rows against the log has found."""

    drift: DriftShape


router = APIRouter(tags=["health"])


@router.get("/healthz")
async def healthz() -> Response:
    """Answer as long as the process runs."""
    return Response(msgspec.json.encode({"status": "ok"}), media_type="application/json")


@router.get("/readyz", responses=schemas.answers(ReadyAnswer))
async def readyz(parts: PartsOfApp) -> Response:
    """Answer 200 while questions can be answered; says whether a worker keeps rows fresh."""
    freshness = await parts.model.freshness(parts.topic)
    if (trouble := parts.trouble) is not None:
        raise NotReady(trouble)
    return answer({"status": "ready", "tracker": freshness.tracker}, freshness)


@router.get("/api/freshness", responses=schemas.answers(PartitionsAnswer))
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
            "log_lost": one.lost_reason,
        }
        for one in freshness.partitions
    ]
    return await asked.answer({"partitions": partitions})


@router.get("/api/drift", responses=schemas.answers(DriftAnswer))
async def get_drift(asked: Asked) -> Response:
    """Return what the tracker's own check of rows against the log has found."""
    found = await asked.parts.model.drift(asked.parts.topic)
    return await asked.answer({"drift": record(asdict(found))})


class RebuildShape(BaseModel):
    """How far a rebuild has come; what it copied is not shown until it swaps."""

    stage: str = Field(description="copying, indexing, mending or following.")
    partitions: int
    partitions_copied: int
    events: int
    events_copied: int


class RebuildAnswer(schemas.Answer):
    """The rebuild under way or broken off, null where there is none."""

    rebuild: RebuildShape | None


@router.get("/api/rebuild", responses=schemas.answers(RebuildAnswer))
async def get_rebuild(asked: Asked) -> Response:
    """Return how far a rebuild has come, if one is under way or was broken off."""
    return await asked.answer({"rebuild": await asked.parts.model.rebuild()})


@router.get("/metrics", response_class=PlainTextResponse)
async def metrics(parts: PartsOfApp) -> Response:
    """Return gap and lag by partition, unresolved dead letters and open streams."""
    freshness = await parts.model.freshness(parts.topic)
    letters = await parts.model.dead_letter_count()
    drift = await parts.model.drift(parts.topic)
    told = _metrics(freshness, letters, drift, parts.feed.listeners, parts.policy.trouble)
    return Response(told, media_type=_TEXT)


def _metrics(
    freshness: Freshness,
    dead_letters: int,
    drift: Drift,
    streams: int = 0,
    trouble: str | None = None,
) -> bytes:
    registry = CollectorRegistry()
    labels = ["partition"]
    gap = Gauge("steplog_tracker_gap_events", "Events not applied", labels, registry=registry)
    lag = Gauge("steplog_tracker_lag_seconds", "Seconds behind", labels, registry=registry)
    position = Gauge("steplog_tracker_position", "Next offset", labels, registry=registry)
    letters = Gauge("steplog_tracker_dead_letters", "Unresolved", registry=registry)
    lost = Gauge(
        "steplog_tracker_log_lost",
        "1 where the log lost records that rows were made from",
        labels,
        registry=registry,
    )
    for partition in freshness.partitions:
        lost.labels(str(partition.partition)).set(partition.lost_reason is not None)
        label = str(partition.partition)
        gap.labels(label).set(partition.gap)
        lag.labels(label).set(partition.lag_s(freshness.now))
        position.labels(label).set(partition.next_offset)
    letters.set(dead_letters)
    bad_tokens = Gauge(
        "steplog_api_tokens_unreadable", "1 while the file of tokens is bad", registry=registry
    )
    bad_tokens.set(trouble is not None)
    Gauge("steplog_api_streams", "Open event streams", registry=registry).set(streams)
    drifted = Gauge("steplog_tracker_drift_rows", "Rows unlike the log", registry=registry)
    drifted.set(drift.drifted_rows)
    checked = Counter("steplog_tracker_drift_checked", "Executions checked", registry=registry)
    checked.inc(drift.checked)
    return generate_latest(registry)
