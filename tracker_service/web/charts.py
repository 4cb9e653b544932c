"""A pipeline's figures over time as bars and a line: from the API's statistics; pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

WIDTH: Final = 480.0
HEIGHT: Final = 72.0


@dataclass(frozen=True, slots=True)
class Column:
    """One bucket of time: what ended in it, failures on top."""

    x: float
    width: float
    completed: float  # Heights.
    other: float
    label: str


@dataclass(frozen=True, slots=True)
class PipelineChart:
    """One pipeline over the window: its figures as a whole, and its course."""

    figures: Mapping[str, Any]
    columns: tuple[Column, ...]
    p95_line: str  # Points of a polyline, empty where nothing completed.


def pipeline_charts(whole: Mapping[str, Any], course: Mapping[str, Any]) -> list[PipelineChart]:
    """Return a chart for each pipeline, the busiest first.

    Both are the API's statistics of one window: `whole` in one bucket, `course` in many, since
    percentiles of parts don't add up to those of the whole.
    """
    by_pipeline: dict[str, list[Mapping[str, Any]]] = {}
    for item in course["items"]:
        by_pipeline.setdefault(item["pipeline_id"], []).append(item)
    figures: dict[str, Mapping[str, Any]] = {}
    for item in whole["items"]:
        # A window rarely begins where a bucket does, so the whole may come in two parts.
        known = figures.get(item["pipeline_id"])
        if known is None or item["ended"] > known["ended"]:
            figures[item["pipeline_id"]] = item
    charts = [
        PipelineChart(figures[name], _columns(items, course), _line(items, course))
        for name, items in by_pipeline.items()
        if name in figures
    ]
    return sorted(charts, key=lambda chart: -int(chart.figures["ended"]))


def _columns(items: Sequence[Mapping[str, Any]], told: Mapping[str, Any]) -> tuple[Column, ...]:
    highest = max(item["ended"] for item in items)
    place = _Places(told)
    return tuple(
        Column(
            x=round(place.x(item), 2),
            width=round(max(place.width - 1, 1), 2),
            completed=round(item["completed"] / highest * HEIGHT, 2),
            other=round((item["ended"] - item["completed"]) / highest * HEIGHT, 2),
            label=f"{item['bucket'][:16].replace('T', ' ')}: {item['completed']} completed, "
            f"{item['failed']} failed, {item['cancelled']} cancelled",
        )
        for item in items
    )


def _line(items: Sequence[Mapping[str, Any]], told: Mapping[str, Any]) -> str:
    timed = [item for item in items if item["p95_ms"] is not None]
    if not timed:
        return ""
    slowest = max(item["p95_ms"] for item in timed) or 1.0
    place = _Places(told)
    points = [
        (place.x(item) + place.width / 2, HEIGHT - item["p95_ms"] / slowest * (HEIGHT - 4) - 2)
        for item in timed
    ]
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in points)


class _Places:
    """Where a bucket stands within the window."""

    def __init__(self, told: Mapping[str, Any]) -> None:
        self._since = datetime.fromisoformat(told["since"])
        window_s = (datetime.fromisoformat(told["until"]) - self._since).total_seconds()
        self._per_s = WIDTH / window_s
        self.width: float = told["bucket_s"] * self._per_s

    def x(self, item: Mapping[str, Any]) -> float:
        """Return the bucket's left end, within the drawing."""
        after = (datetime.fromisoformat(item["bucket"]) - self._since).total_seconds()
        return min(max(after * self._per_s, 0.0), WIDTH - self.width)
