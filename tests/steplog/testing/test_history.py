"""Recorded executions tell in a test whom a changed definition would lead another way."""

import asyncio
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from steplog import Embedded
from steplog.errors import BadInput
from steplog.pytest_plugin import ArchivedHistory, RunPipeline
from tests.house.readme import blocks
from tests.steplog.builder.sample_steps import weather
from tests.steplog.cli.command_line import steplog

History = Callable[[str | Path], ArchivedHistory]


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """Return an archive of two executions of the same pipeline."""
    data, path = tmp_path / "runs.db", tmp_path / "runs.jsonl"
    asyncio.run(_two_runs(data))
    assert steplog("export", "--all", "--out", str(path), "--data", str(data)).exit_code == 0
    return path


async def _two_runs(data: Path) -> None:
    async with Embedded.open(data) as embedded:
        for city in ("Rome", "Oslo"):
            await embedded.result(await embedded.run(weather(), {"city": city}))


def _changed(value: float) -> dict[str, Any]:
    definition = weather().definition
    for path in definition["flow"]["paths"]:
        if "condition" in path:
            path["condition"]["value"] = value
    return definition


def test_a_definition_that_leads_them_the_same_way_passes(
    archive: Path, steplog_history: History
) -> None:
    history = steplog_history(archive)

    history.assert_same(weather())
    history.assert_same(_changed(3.4))
    assert len(history.replay(weather()).same) == 2


def test_one_that_leads_them_another_way_fails_and_says_which(
    archive: Path, steplog_history: History
) -> None:
    with pytest.raises(AssertionError, match=r"2 of 2 executions would go another way"):
        steplog_history(archive).assert_same(_changed(10))


def test_a_history_without_the_pipeline_proves_nothing(
    archive: Path, steplog_history: History
) -> None:
    with pytest.raises(AssertionError, match="no execution of this pipeline"):
        steplog_history(archive).assert_same({**weather().definition, "name": "other"})


def test_what_is_no_archive_is_said(tmp_path: Path, steplog_history: History) -> None:
    (tmp_path / "no.jsonl").write_text("{}\n")

    with pytest.raises(BadInput):
        steplog_history(tmp_path / "no.jsonl")


def test_the_pages_example_passes(
    steplog_run: RunPipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = next(block.text for block in blocks("python") if block.page == "docs/testing.md")
    module = ModuleType("testing_page")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    exec(code, vars(module))

    module.test_a_payment_is_tried_again_and_the_order_goes_out_after_a_month(steplog_run)
