"""An execution is shown with its steps on one time line."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from steplog.cli.views.console import duration, short_json, short_moment
from steplog.cli.views.execution import TIMELINE_CHARS, print_execution

BEGAN = datetime(2026, 1, 1, tzinfo=UTC)


def _step(name: str, began_ms: int | None, took_ms: float | None, **more: Any) -> dict[str, Any]:
    began = None if began_ms is None else BEGAN + timedelta(milliseconds=began_ms)
    ended = None if began is None or took_ms is None else began + timedelta(milliseconds=took_ms)
    return {
        "step_execution_id": name,
        "execution_id": "e-1",
        "step_id": name,
        "step_name": name,
        "step_type": "task",
        "status": "skipped" if began is None else "completed",
        "started_at": began,
        "completed_at": ended,
        "execution_time_ms": took_ms,
        **more,
    }


def _shown(capsys: pytest.CaptureFixture[str], *steps: dict[str, Any], **execution: Any) -> str:
    record = {
        "execution_id": "e-1",
        "pipeline_id": "p",
        "pipeline_name": "Weather",
        "status": "completed",
        "started_at": BEGAN,
        **execution,
    }
    freshness = {"gap": execution.pop("gap", 0), "lag_s": 0.25}
    print_execution({"execution": record, "steps": list(steps), "freshness": freshness})
    return capsys.readouterr().out


def test_steps_that_ran_side_by_side_stand_below_each_other(
    capsys: pytest.CaptureFixture[str],
) -> None:
    shown = _shown(capsys, _step("a", 0, 50), _step("b", 50, 50), _step("c", 50, 50))

    bars = [line.index("━") for line in shown.splitlines() if "━" in line]
    assert bars[1] == bars[2] == bars[0] + TIMELINE_CHARS // 2


def test_a_step_that_never_began_has_no_times(capsys: pytest.CaptureFixture[str]) -> None:
    shown = _shown(capsys, _step("a", 0, 50), _step("never", None, None))

    line = next(line for line in shown.splitlines() if line.startswith("never"))
    assert line.split() == ["never", "skipped", "-"]


def test_a_later_visit_of_a_loop_is_numbered(capsys: pytest.CaptureFixture[str]) -> None:
    assert "again (visit 3)" in _shown(capsys, _step("again", 0, 5, iteration=3))


def test_an_answer_that_is_behind_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert "7 events behind" in _shown(capsys, gap=7)


def test_text_of_users_is_not_taken_for_markup(capsys: pytest.CaptureFixture[str]) -> None:
    shown = _shown(capsys, status="failed", error_message="no [bold]key[/bold] in [/x]")

    assert "no [bold]key[/bold] in [/x]" in shown


@pytest.mark.parametrize(
    ("milliseconds", "said"),
    [
        (None, "-"),
        (0.84, "0.8 ms"),
        (132.4, "132 ms"),
        (4213, "4.21 s"),
        (200_000, "3 min 20 s"),
        (18_120_000, "5 h 2 min"),
    ],
)
def test_a_duration_is_said_as_people_say_it(milliseconds: float | None, said: str) -> None:
    assert duration(milliseconds) == said


def test_long_values_are_cut_with_a_count() -> None:
    assert short_json("x" * 1000).endswith("… (602 more characters)")


def test_a_moment_of_another_day_has_its_date() -> None:
    now = datetime(2026, 1, 2, 12, tzinfo=UTC)

    assert len(short_moment(now, now)) == len("12:00:00")
    assert len(short_moment(now - timedelta(days=9), now)) == len("2026-01-01 12:00")


def test_values_that_are_stored_apart_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    kept = {"uri": "s3://b/x.json", "sha256": "ab" * 32, "size_bytes": 5_242_880}
    shown = _shown(capsys, references={"/output_data/rows": kept})

    line = f"output_data/rows, 5,242,880 bytes: steplog payload e-1 {'ab' * 32}\n"
    assert line in shown
