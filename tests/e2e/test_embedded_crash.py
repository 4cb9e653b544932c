"""kill -9 of embedded mode at any moment: every execution ends as if nothing had happened."""

import asyncio
import os
import random
import sys
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import pytest

from executor_service.adapters.embedded.file import EmbeddedFile
from executor_service.adapters.embedded.reader import EmbeddedReader
from steplog.client.command_builder import run_pipeline
from steplog.embedded.read_api import open_embedded_read
from steplog.embedded.sender import EmbeddedSender
from steplog_contracts.envelope import RecordedEvent
from steplog_contracts.events import StepStarted
from tests.e2e.chaos_steps import KINDS, LEFT_OPEN, NEEDS, TREE, TREE_DEPTH, Kind
from tests.e2e.histories import Judgement, admitted, by_execution, judge
from tests.e2e.weather_shape import RUNS_FILE_VARIABLE

EXECUTIONS = 120
KILLS = 8
# From before the file is open to the middle of everything.
LIFE_S = (0.4, 1.6)
FINISH_TIMEOUT_S = 120.0
pytestmark = pytest.mark.e2e


@pytest.fixture
def chance() -> random.Random:
    """Return a source of chance; its seed stands in the output of a failure."""
    seed = random.randrange(10_000)
    print("seed", seed)  # noqa: T201
    return random.Random(seed)


@pytest.mark.timeout(240)
async def test_nothing_is_lost_and_nothing_recorded_runs_twice_however_often_it_is_killed(
    tmp_path: Path, chance: random.Random
) -> None:
    file = tmp_path / "steplog.db"
    kinds = {f"chaos-{number}": chance.choice(KINDS) for number in range(EXECUTIONS)}
    left_open = {execution_id for execution_id, kind in kinds.items() if kind is LEFT_OPEN}
    trees = sum(kind is TREE for kind in kinds.values())
    to_end = EXECUTIONS - len(left_open) + (TREE_DEPTH - 1) * trees
    await send_all(file, kinds)

    for _ in range(KILLS):
        await run_for(file, to_end, chance.uniform(*LIFE_S))
    finished = await start(file, to_end)
    await asyncio.wait_for(finished.wait(), FINISH_TIMEOUT_S)

    histories = await histories_in(file)
    assert judge(histories, set(kinds), NEEDS, left_open) == Judgement()
    assert await rows_in(file) == {
        execution_id: (kind.ends_as, len(histories[execution_id]))
        for execution_id, kind in kinds.items()
    }
    assert unrecorded_runs(file, histories) == 0


async def send_all(file: Path, kinds: Mapping[str, Kind]) -> None:
    """Put the work into the log."""
    async with EmbeddedFile(file) as opened:
        sender = EmbeddedSender(opened)
        for execution_id, kind in kinds.items():
            given = {"n": 1, "gaps": int(kind.name == "weather_with_gaps")}
            name = {"execution_id": execution_id}
            await sender.send(run_pipeline(kind.definition, given, name))


async def start(file: Path, to_end: int) -> asyncio.subprocess.Process:
    """Start the program on the file."""
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.e2e.embedded_program", str(file), str(to_end),
        env={**os.environ, RUNS_FILE_VARIABLE: str(runs_of(file))},
    )  # fmt: skip


async def run_for(file: Path, to_end: int, seconds: float) -> None:
    """Let the program live for a while, then kill it without a word."""
    running = await start(file, to_end)
    try:
        await asyncio.wait_for(running.wait(), seconds)
    except TimeoutError:
        running.kill()
        await running.wait()


async def histories_in(file: Path) -> dict[str, list[RecordedEvent]]:
    """Return each execution's events that readers take."""
    async with EmbeddedReader(file) as reader:
        ends = await reader.ends()
        records = await reader.records("events", 0, ends["events"])
    return by_execution(admitted(0, records))


async def rows_in(file: Path) -> dict[str, tuple[str, int]]:
    """Return, by execution that was asked for, the status of its row and the seq it stands at."""
    async with open_embedded_read(file) as read:
        page = await read.executions(limit=TREE_DEPTH * EXECUTIONS)
    return {
        row.execution_id: (row.status.value, row.seq)
        for row in page.items
        if row.parent_execution_id is None
    }


def unrecorded_runs(file: Path, histories: dict[str, list[RecordedEvent]]) -> int:
    """Return how many runs of steps left a line though no start of them is recorded."""
    runs = Counter(line.split()[0] for line in runs_of(file).read_text().splitlines())
    starts = Counter(
        f"{execution_id}:{recorded.event.step_id}:{recorded.event.iteration}"
        for execution_id, history in histories.items()
        for recorded in history
        if isinstance(recorded.event, StepStarted)
    )
    return sum(max(0, count - starts[visit]) for visit, count in runs.items())


def runs_of(file: Path) -> Path:
    """Return the file where each run of a step leaves a line."""
    return file.with_name("runs.txt")
