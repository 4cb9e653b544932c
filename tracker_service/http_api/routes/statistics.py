"""Statistics over a window of time: rates, failures and durations, by pipeline and by step."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Query, Response
from pydantic import BaseModel, Field

from steplog_contracts.envelope import format_time
from tracker_service.http_api import schemas
from tracker_service.http_api.filters import Text
from tracker_service.http_api.moments import Moment
from tracker_service.http_api.problems import BadQuestion
from tracker_service.http_api.query_context import Asked
from tracker_service.http_api.responses import record
from tracker_service.store.queries import Row, Statistics, Window

DEFAULT_WINDOW_S: Final = 24 * 3600
MAX_WINDOW_S: Final = 366 * 24 * 3600
DEFAULT_BUCKETS: Final = 24
MAX_BUCKETS: Final = 500


class Durations(BaseModel):
    """Percentiles by nearest rank over what completed, milliseconds; null where nothing did."""

    p50_ms: float | None
    p95_ms: float | None
    p99_ms: float | None


class PipelineFigures(Durations):
    """A pipeline's executions that ended within one bucket."""

    pipeline_id: str
    pipeline_name: str
    bucket: datetime = Field(description="Where the bucket begins.")
    ended: int
    completed: int
    failed: int
    cancelled: int
    rate_per_s: float
    failure_share: float


class StepFigures(Durations):
    """A step's visits within executions that ended in the window."""

    pipeline_id: str
    step_id: str
    step_name: str
    visits: int
    completed: int
    failed: int
    skipped: int
    retries: int
    failure_share: float


class StatisticsAnswer(schemas.Answer):
    """Figures of a window; `complete` is false if it has more executions than were looked at."""

    since: datetime
    until: datetime
    looked_at: int = Field(description="Ended executions, the newest of the window.")
    complete: bool


class PipelineStatistics(StatisticsAnswer):
    """Figures by pipeline and bucket."""

    bucket_s: int
    items: list[PipelineFigures]


class StepStatistics(StatisticsAnswer):
    """Figures by pipeline and step."""

    items: list[StepFigures]


class PipelineShape(BaseModel):
    """A pipeline whose definition is known."""

    pipeline_id: str
    pipeline_name: str
    definitions: int
    newest_definition_at: datetime


class PipelinePage(schemas.Answer):
    """Pipelines by name."""

    items: list[PipelineShape]


def window(
    pipeline_id: Annotated[str | None, Text] = None,
    until: Annotated[Moment | None, Query(description="Now if left out.")] = None,
    window_s: Annotated[int, Query(ge=1, le=MAX_WINDOW_S)] = DEFAULT_WINDOW_S,
    bucket_s: Annotated[
        int | None,
        Query(ge=1, le=MAX_WINDOW_S, description=f"At most {MAX_BUCKETS} in the window."),
    ] = None,
) -> Window:
    """Return the window asked for."""
    bucket_s = bucket_s or max(1, window_s // DEFAULT_BUCKETS)
    if window_s / bucket_s > MAX_BUCKETS:
        raise BadQuestion(f"bucket_s is too small: the window has more than {MAX_BUCKETS} of it.")
    try:
        end = datetime.now(UTC) if until is None else until.astimezone(UTC)
        return Window(end - timedelta(seconds=window_s), end, bucket_s, pipeline_id)
    except OverflowError as error:
        raise BadQuestion("until is too far away; give a year from 2 to 9998.") from error


WindowAsked = Annotated[Window, Depends(window)]


router = APIRouter(prefix="/api", tags=["statistics"])


@router.get("/statistics/pipelines", responses=schemas.answers(PipelineStatistics))
async def get_pipeline_statistics(question: Asked, asked: WindowAsked) -> Response:
    """Return rate, failures and durations by pipeline and bucket of time."""
    told = await question.parts.model.pipeline_statistics(asked)
    items = [_pipeline(row, asked) for row in told.rows]
    return await question.answer(
        {**_window(asked, told), "bucket_s": asked.bucket_s, "items": items}
    )


@router.get("/statistics/steps", responses=schemas.answers(StepStatistics))
async def get_step_statistics(question: Asked, asked: WindowAsked) -> Response:
    """Return visits, failures, retries and durations by step."""
    told = await question.parts.model.step_statistics(asked)
    items = [{**row, "failure_share": _share(row["failed"], row["visits"])} for row in told.rows]
    return await question.answer({**_window(asked, told), "items": items})


@router.get("/pipelines", responses=schemas.answers(PipelinePage))
async def list_pipelines(asked: Asked) -> Response:
    """List pipelines whose definitions are known."""
    return await asked.answer(
        {"items": [record(row) for row in await asked.parts.model.pipelines()]}
    )


def _pipeline(row: Row, asked: Window) -> Row:
    begins = datetime.fromtimestamp(row["bucket"], UTC)
    return {
        **row,
        "bucket": format_time(begins),
        "rate_per_s": round(row["ended"] / asked.bucket_s, 6),
        "failure_share": _share(row["failed"], row["ended"]),
    }


def _share(part: int, whole: int) -> float:
    return round(part / whole, 6) if whole else 0.0


def _window(asked: Window, told: Statistics) -> Row:
    return {
        "since": format_time(asked.since),
        "until": format_time(asked.until),
        "looked_at": told.looked_at,
        "complete": told.complete,
    }
