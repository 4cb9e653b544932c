"""A pytest fixture that runs definitions for real and gives their recorded history to assert on.

def test_fog_is_left_out(steplog_run):
    ran = steplog_run("weather.json", {"without": "fog"})

    ran.assert_completed()
    assert ran.path == ["load", "clean", "report"]
    assert ran.step("clean").output_data["missing"] == 0

The definition runs in embedded mode, on a file that goes with the test: the engine, the recording
and the rows are those of production. Nothing has to be started.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import pytest

if TYPE_CHECKING:
    from steplog.client.definition_source import PipelineSource
    from steplog.embedded.run_to_end import Answers, RanPipeline
    from steplog_contracts.payload import JsonValue

RunPipeline: TypeAlias = "Callable[..., RanPipeline]"


@pytest.fixture
def steplog_run(tmp_path: Path) -> RunPipeline:
    """Return `run(definition, file or built pipeline, input, *, answers, step_modules, timeout_s)`.

    `answers` maps the id of a step that asks a person to the answer it is given. Without
    `step_modules` a definition may name any installed module but the standard library's.
    """
    # Only now: a test run that does not use the fixture is not made to load all of steplog.
    from steplog.client.definition_source import definition_or_name  # noqa: PLC0415
    from steplog.client.json_input import definition_in  # noqa: PLC0415
    from steplog.embedded.run_to_end import run_through  # noqa: PLC0415

    def run(
        definition: PipelineSource,
        input: JsonValue = None,  # noqa: A002 - the word of the definition
        *,
        answers: Answers | None = None,
        step_modules: Sequence[str] | None = None,
        timeout_s: float = 60.0,
    ) -> RanPipeline:
        found = definition_or_name(definition)
        given = definition_in(Path(found)) if isinstance(found, str) else found
        running = run_through(
            tmp_path / "steplog.db", given, input, answers or {}, step_modules, timeout_s
        )
        # In a thread, so that a test that is a coroutine itself can use it too.
        with ThreadPoolExecutor(1) as thread:
            return thread.submit(asyncio.run, running).result()

    return run
