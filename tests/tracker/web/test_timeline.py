"""Visits, tries and waits are drawn on one scale."""

from datetime import UTC, datetime, timedelta
from typing import Any

from tracker_service.web.timeline import MIN_BAR, SCALE, timeline

BEGAN = datetime(2026, 1, 1, tzinfo=UTC)


def at(seconds: float | None) -> str | None:
    """Return a time so many seconds after the beginning, as the API writes it."""
    return None if seconds is None else (BEGAN + timedelta(seconds=seconds)).isoformat()


def visit(step: str, began: float | None, ended: float | None, **more: Any) -> dict[str, Any]:
    """Return a visit as the API tells it."""
    status = "running" if ended is None else "completed"
    return {"step_id": step, "iteration": 1, "status": status, "started_at": at(began),
            "completed_at": at(ended), **more}  # fmt: skip


def told(*visits: dict[str, Any], **more: Any) -> dict[str, Any]:
    """Return a timeline as the API tells it."""
    return {"started_at": at(0), "visits": visits, "attempts": [], "waits": [], **more}


def test_bars_stand_where_their_visits_were() -> None:
    drawn = timeline(told(visit("a", 0, 5), visit("b", 5, 10)), BEGAN)

    assert drawn.total_ms == 10_000
    assert [(b.x, b.width) for line in drawn.lines for b in line.bars] == [(0, 500), (500, 500)]


def test_a_visit_that_goes_on_reaches_to_now() -> None:
    drawn = timeline(told(visit("a", 0, 5), visit("b", 5, None)), BEGAN + timedelta(seconds=20))

    assert (drawn.lines[1].bars[0].x, drawn.lines[1].bars[0].width) == (250, 750)


def test_a_visit_of_no_length_can_be_seen() -> None:
    drawn = timeline(told(visit("a", 0, 10), visit("b", 10, 10)), BEGAN)

    last = drawn.lines[1].bars[0]
    assert last.width == MIN_BAR
    assert last.x + last.width <= SCALE


def test_a_step_that_was_skipped_has_no_bar() -> None:
    drawn = timeline(told(visit("a", 0, 1), visit("b", None, None)), BEGAN)

    assert [line.visit["step_id"] for line in drawn.lines] == ["a"]


def test_waits_and_failed_tries_stand_on_their_visits_bar() -> None:
    wait = {"step_id": "a", "iteration": 1, "created_at": at(2), "completed_at": at(8)}
    attempt = {"step_id": "a", "iteration": 1, "failed_at": at(1)}

    drawn = timeline(told(visit("a", 0, 10), waits=[wait], attempts=[attempt]), BEGAN)

    assert [(b.kind, b.x, b.width) for b in drawn.lines[0].bars] == [
        ("completed", 0, 1000), ("wait", 200, 600), ("failed-attempt", 100, MIN_BAR),
    ]  # fmt: skip
