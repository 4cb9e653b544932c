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
import tempfile
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import pytest

if TYPE_CHECKING:
    from steplog.client.definition_source import PipelineSource
    from steplog.testing.definition_run import Answers, RanPipeline
    from steplog.testing.history import RecordedHistory, ReplayedHistory
    from steplog_contracts.payload import JsonValue

RunPipeline: TypeAlias = "Callable[..., RanPipeline]"


@pytest.fixture
def steplog_run(tmp_path: Path) -> RunPipeline:
    """Return `run(definition, file or built pipeline, input, ...)`; it returns a `RanPipeline`.

    `answers` maps the id of a step that asks a person to the answer it is given. `stubs` maps the
    id of a step to what it returns, an exception to raise, a function of its data, or a list of
    those for one run after another; its module is not imported. `clock="virtual"` skips the time in
    which there is nothing but waiting. `crash_after` is the id of a step after which the process
    ends and another one goes on, or "every event": then it is run once for each event with a
    crash after it, and all must come to the same end. Without `step_modules` a definition may name
    any installed module but the standard library's.
    """
    # Only now: a test run that does not use the fixture is not made to load all of steplog.
    from steplog.testing.definition_run import DefinitionRun, run_with_crashes  # noqa: PLC0415

    def run(  # noqa: PLR0913 - what a test can say
        definition: PipelineSource,
        input: JsonValue = None,  # noqa: A002 - the word of the definition
        *,
        answers: Answers | None = None,
        stubs: Mapping[str, Any] | None = None,
        clock: Literal["real", "virtual"] = "real",
        crash_after: str | None = None,
        step_modules: Sequence[str] | None = None,
        pipelines_dir: Path | None = None,
        timeout_s: float = 60.0,
    ) -> RanPipeline:
        given = _definition(definition)
        skips_time = clock == "virtual"
        asked = DefinitionRun(
            given, input, answers or {}, step_modules, timeout_s, stubs or {}, skips_time,
            pipelines_dir,
        )  # fmt: skip
        folder = Path(tempfile.mkdtemp(prefix="run-", dir=tmp_path))
        running = run_with_crashes(asked, folder, crash_after)
        # In a thread, so that a test that is a coroutine itself can use it too.
        with ThreadPoolExecutor(1) as thread:
            return thread.submit(asyncio.run, running).result()

    return run


@pytest.fixture
def steplog_history() -> Callable[[str | Path], ArchivedHistory]:
    """Return `history(archive)`, whose `assert_same(definition)` replays what is recorded there.

    No step runs: each visit ends as it is recorded, and the definition's conditions decide where
    the flow goes from there.
    """
    from steplog.testing.history import RecordedHistory  # noqa: PLC0415 - as above

    return lambda archive: ArchivedHistory(RecordedHistory(Path(archive)))


class ArchivedHistory:
    """Recorded executions, for definitions, their files and built pipelines."""

    def __init__(self, recorded: RecordedHistory) -> None:
        self.recorded = recorded

    def assert_same(self, definition: PipelineSource, *, pipeline: str = "") -> None:
        """Fail where a recorded execution would have gone another way under the definition."""
        self.recorded.assert_same(_definition(definition), pipeline=pipeline)

    def replay(self, definition: PipelineSource, *, pipeline: str = "") -> ReplayedHistory:
        """Return which executions would go the same way, and which another."""
        return self.recorded.replay(_definition(definition), pipeline=pipeline)


def _definition(source: PipelineSource) -> Mapping[str, Any]:
    from steplog.client.definition_source import definition_or_name  # noqa: PLC0415
    from steplog.client.json_input import definition_in  # noqa: PLC0415

    found = definition_or_name(source)
    return definition_in(Path(found)) if isinstance(found, str) else found
