"""What `watch` and `top` show, without a terminal."""

from datetime import UTC, datetime
from typing import Any

import pytest
from rich.console import Console

from steplog.cli.commands.top import EventRate, screen
from steplog.cli.commands.watch import MAX_STEPS_SHOWN, tree
from steplog.client.watch import ExecutionView
from steplog_contracts.records import ExecutionRecord, StepRecord

BEGAN = datetime(2026, 1, 1, tzinfo=UTC)


def shown(view: Any) -> str:
    """Return a view as text."""
    console = Console(width=160, highlight=False)
    with console.capture() as captured:
        console.print(view)
    return captured.get()


def execution(**more: Any) -> dict[str, Any]:
    """Return an execution's record."""
    return {"execution_id": "e-1", "pipeline_id": "p", "pipeline_name": "Bake", "status": "running",
            "started_at": BEGAN, **more}  # fmt: skip


def step(name: str, **more: Any) -> StepRecord:
    """Return the record of a visit."""
    return StepRecord.model_validate(
        {"step_execution_id": name, "execution_id": "e-1", "step_id": name, "step_name": name,
         "step_type": "task", "status": "completed", "started_at": BEGAN, **more}
    )  # fmt: skip


def glimpse(*steps: StepRecord, **more: Any) -> ExecutionView:
    """Return an execution with its steps."""
    return ExecutionView(ExecutionRecord.model_validate(execution(**more)), steps)


def test_a_visit_is_shown_with_its_tries_and_time() -> None:
    text = shown(tree(glimpse(step("mix"), step("oven", attempt=3, iteration=2, status="running",
                                                execution_time_ms=1500.0)), BEGAN))  # fmt: skip

    assert "✓ mix completed" in text
    assert "● oven (visit 2) running try 3 1.50 s" in text


def test_of_very_many_visits_the_newest_are_shown() -> None:
    steps = [step(f"s{number}") for number in range(MAX_STEPS_SHOWN + 5)]

    text = shown(tree(glimpse(*steps), BEGAN))

    assert "5 earlier visits" in text
    assert f"s{MAX_STEPS_SHOWN + 4} " in text
    assert "s4 " not in text


def test_an_error_is_shown_as_it_is() -> None:
    text = shown(tree(glimpse(step("mix"), status="failed", error_message="no [eggs] left"), BEGAN))

    assert "no [eggs] left" in text


@pytest.fixture
def answer() -> dict[str, Any]:
    """Return what the API says of a small fleet."""
    freshness = {"tracker": "live", "gap": 7, "lag_s": 0.25, "positions": {"0": 100, "1": 50}}
    return {"counts": {"running": 2, "failed": 0, "completed": 5}, "executions": [execution()],
            "freshness": freshness}  # fmt: skip


def test_the_fleet_is_shown_with_counts_and_freshness(answer: dict[str, Any]) -> None:
    text = shown(screen(answer, 1234.5))

    assert "7 events behind, 0.2 s" in text
    assert "1,234 events/s" in text or "1,235 events/s" in text
    assert "running 2" in text
    assert "failed" not in text
    assert "e-1" in text


def test_a_rate_needs_two_looks(answer: dict[str, Any]) -> None:
    rate = EventRate()
    first = rate.after(answer["freshness"], now_s=10.0)
    later = {"positions": {"0": 150, "1": 100}}

    assert first is None
    assert rate.after(later, now_s=12.0) == 50.0
