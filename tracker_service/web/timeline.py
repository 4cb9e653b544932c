"""What happened when, as bars on one scale: from the API's timeline to a drawing; pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

# The width of the scale in units of the drawing.
SCALE: Final = 1000.0
MIN_BAR: Final = 3.0
TICKS: Final = 4


@dataclass(frozen=True, slots=True)
class Bar:
    """A stretch of the scale."""

    kind: str  # A status, `wait` or `failed-attempt`.
    x: float
    width: float


@dataclass(frozen=True, slots=True)
class Line:
    """One visit to a step and its bars."""

    visit: Mapping[str, Any]
    began_ms: float | None
    bars: tuple[Bar, ...]


@dataclass(frozen=True, slots=True)
class Timeline:
    """All visits on one scale; `ticks` are (place, milliseconds from the beginning)."""

    lines: tuple[Line, ...]
    total_ms: float
    ticks: tuple[tuple[float, float], ...]


def timeline(told: Mapping[str, Any], now: datetime) -> Timeline:
    """Return the drawing of the API's timeline; what goes on reaches to `now`."""
    visits = [visit for visit in told["visits"] if visit["started_at"] is not None]
    begin = _time(told["started_at"])
    end = max([begin, *(_ended(visit, now) for visit in visits)])
    scale = _Scale(begin, max((end - begin).total_seconds() * 1000, 1.0))
    attempts = _by_visit(told["attempts"])
    waits = _by_visit(told["waits"])
    lines = tuple(
        _line(visit, attempts.get(_key(visit), ()), waits.get(_key(visit), ()), scale, now)
        for visit in visits
    )
    ticks = tuple((SCALE * n / TICKS, scale.total_ms * n / TICKS) for n in range(TICKS + 1))
    return Timeline(lines, scale.total_ms, ticks)


@dataclass(frozen=True, slots=True)
class _Scale:
    begin: datetime
    total_ms: float

    def ms(self, time: datetime) -> float:
        return max(0.0, (time - self.begin).total_seconds() * 1000)

    def bar(self, kind: str, start: datetime, end: datetime) -> Bar:
        x = min(self.ms(start) / self.total_ms, 1.0) * SCALE
        width = max((self.ms(end) - self.ms(start)) / self.total_ms * SCALE, MIN_BAR)
        x = min(x, SCALE - MIN_BAR)
        return Bar(kind, round(x, 2), round(min(width, SCALE - x), 2))


def _line(
    visit: Mapping[str, Any],
    attempts: Sequence[Mapping[str, Any]],
    waits: Sequence[Mapping[str, Any]],
    scale: _Scale,
    now: datetime,
) -> Line:
    began = _time(visit["started_at"])
    bars = [scale.bar(visit["status"], began, _ended(visit, now))]
    for wait in waits:
        until = now if wait["completed_at"] is None else _time(wait["completed_at"])
        bars.append(scale.bar("wait", _time(wait["created_at"]), until))
    for attempt in attempts:
        failed = _time(attempt["failed_at"])
        bars.append(scale.bar("failed-attempt", failed, failed))
    return Line(visit, scale.ms(began), tuple(bars))


def _by_visit(items: Sequence[Mapping[str, Any]]) -> dict[tuple[str, int], list[Any]]:
    found: dict[tuple[str, int], list[Any]] = {}
    for item in items:
        found.setdefault(_key(item), []).append(item)
    return found


def _key(item: Mapping[str, Any]) -> tuple[str, int]:
    return item["step_id"], item["iteration"]


def _ended(visit: Mapping[str, Any], now: datetime) -> datetime:
    return now if visit["completed_at"] is None else _time(visit["completed_at"])


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)
