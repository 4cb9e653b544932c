"""A steplog inside the caller's own process: the client's words, recovery, and clear failures."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from executor_service.embedded_errors import FileFailed, FileHeld
from steplog.client.read_api import Answer, Parameter
from steplog.client.sender import Submitted
from steplog.embedded import Embedded
from steplog.errors import BadInput, CommandWasRefused, NotAnswered
from steplog_contracts.payload import JsonObject
from tests.steplog.cli import plain_steps
from tests.steplog.cli.plain_steps import chain

MODULES = [plain_steps.__name__]
ADA: JsonObject = {"name": "Ada"}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return a place for the file."""
    return tmp_path / "steplog.db"


@pytest.fixture
async def steplog(path: Path) -> AsyncIterator[Embedded]:
    """Return a running steplog on a new file."""
    async with Embedded.open(path, step_modules=MODULES) as opened:
        yield opened


async def until_waiting(steplog: Embedded, submitted: Submitted) -> None:
    """Return once an execution waits for a person."""
    await steplog.applied(submitted)
    async for glimpse in steplog.watch(submitted.execution_id):
        if glimpse.execution.status == "waiting_for_human":
            return


async def test_an_execution_runs_and_its_record_is_returned(steplog: Embedded) -> None:
    execution = await steplog.result(await steplog.run(chain("Greet"), ADA))

    assert (execution.status, execution.completed_steps) == ("completed", 1)
    assert execution.output_data is not None
    assert execution.output_data["greeting"] == "Hello, Ada"


async def test_a_question_is_answered_from_code(steplog: Embedded) -> None:
    submitted = await steplog.run(chain("Ask", "Greet"), ADA)
    await until_waiting(steplog, submitted)

    await steplog.resume(submitted.execution_id, {"yes": True})

    assert (await steplog.result(submitted)).status == "completed"


async def test_an_execution_that_waits_can_be_cancelled(steplog: Embedded) -> None:
    submitted = await steplog.run(chain("Ask"))
    await until_waiting(steplog, submitted)

    await steplog.cancel(submitted.execution_id, "not today")

    assert (await steplog.result(submitted)).status == "cancelled"


async def test_a_failed_execution_is_retried_in_a_new_one(
    steplog: Embedded, tmp_path: Path
) -> None:
    needs = tmp_path / "flour"
    failed = await steplog.run(chain("Greet", "Brittle"), {**ADA, "needs": str(needs)})
    assert (await steplog.result(failed)).status == "failed"
    needs.touch()

    again = await steplog.retry(failed.execution_id)

    assert (await steplog.result(again)).status == "completed"
    assert again.execution_id != failed.execution_id


async def test_what_is_not_allowed_is_refused_with_the_executors_sentence(
    steplog: Embedded,
) -> None:
    definition = chain("Greet")
    definition["steps"][0]["module"] = "tests.e2e.chaos_steps"

    submitted = await steplog.run(definition)

    with pytest.raises(CommandWasRefused, match="not on the allowlist"):
        await steplog.result(submitted)


async def test_a_command_larger_than_the_log_takes_is_refused_at_once(steplog: Embedded) -> None:
    definition = chain("Greet") | {"description": "x" * 1_100_000}

    with pytest.raises(BadInput, match="the log takes"):
        await steplog.run(definition, ADA)


async def test_an_input_larger_than_the_log_takes_is_stored_beside_it(steplog: Embedded) -> None:
    execution = await steplog.result(await steplog.run(chain("Greet"), {"name": "x" * 1_100_000}))

    assert execution.status == "completed"


async def test_an_execution_without_end_is_not_waited_for_for_ever(steplog: Embedded) -> None:
    submitted = await steplog.run(chain("Ask"))

    with pytest.raises(NotAnswered, match="has not ended"):
        await steplog.result(submitted, timeout_s=0.3)


async def test_the_next_process_on_the_file_goes_on_with_what_waits(path: Path) -> None:
    async with Embedded.open(path, step_modules=MODULES) as first:
        submitted = await first.run(chain("Ask", "Greet"), ADA)
        await until_waiting(first, submitted)

    async with Embedded.open(path, step_modules=MODULES) as second:
        await second.resume(submitted.execution_id, {"yes": True})
        execution = await second.result(submitted)

    assert (execution.status, execution.completed_steps) == ("completed", 2)


async def test_rows_left_behind_by_a_crash_are_caught_up_at_the_next_start(path: Path) -> None:
    async with Embedded.open(path, step_modules=MODULES) as first:
        await first.result(await first.run(chain("Greet"), ADA, execution_id="e-1"))
    rows_removed(path)

    async with Embedded.open(path, step_modules=MODULES) as second:
        await second.node.tracker.catch_up()
        execution = await second.get("e-1")

    assert execution is not None
    assert execution.status == "completed"


async def test_a_file_is_opened_once_at_a_time(steplog: Embedded, path: Path) -> None:
    with pytest.raises(FileHeld, match="in use by process"):
        async with Embedded.open(path):
            pass


async def test_whoever_waits_is_told_when_the_file_cannot_be_written_any_more(
    steplog: Embedded,
) -> None:
    submitted = await steplog.run(chain("Ask"))
    await until_waiting(steplog, submitted)
    writer = steplog.node.file._writer
    writer.execute(f"PRAGMA max_page_count = {writer.execute('PRAGMA page_count').fetchone()[0]}")

    with pytest.raises(FileFailed, match="make room"):
        await fill_up(steplog)


async def fill_up(steplog: Embedded) -> None:
    """Run executions until there is no room for one more."""
    while True:
        await steplog.result(await steplog.run(chain("Greet"), {"name": "x" * 5_000}))


def test_code_without_an_event_loop_runs_pipelines_too(path: Path) -> None:
    with Embedded.blocking(path, step_modules=MODULES) as steplog:
        execution = steplog.result(steplog.run(chain("Greet"), ADA))

    assert execution.status == "completed"


def rows_removed(path: Path) -> None:
    """Put the rows back to where nothing was applied: a read model can be made again."""
    with sqlite3.connect(path) as connection:
        connection.execute("DELETE FROM pipeline_executions")
        connection.execute("DELETE FROM step_executions")
        connection.execute("UPDATE projection_positions SET next_offset = 0, epoch = NULL")
    connection.close()


async def test_nobody_is_asked_too_often_within_one_process(steplog: Embedded) -> None:
    """The API's limit is for callers from a network."""
    for _ in range(1_000):
        assert await steplog.get("nowhere") is None

    executions = [await steplog.result(await steplog.run(chain("Greet"), ADA)) for _ in range(100)]

    assert {execution.status for execution in executions} == {"completed"}


async def test_a_result_asks_when_its_own_execution_changed(steplog: Embedded) -> None:
    """Others commit all the time; a look at each of that would cost more than the work itself."""
    asked: list[str] = []
    answered = steplog.read.get

    async def counted(path: str, **parameters: Parameter) -> Answer:
        asked.append(path)
        return await answered(path, **parameters)

    waiting = await steplog.run(chain("Ask"))
    await until_waiting(steplog, waiting)
    steplog.read.get = counted  # type: ignore[method-assign]
    result = asyncio.create_task(steplog.result(waiting))
    others = [await steplog.run(chain("Greet"), ADA) for _ in range(50)]
    await steplog.result(others[-1])
    looks = len([path for path in asked if path.endswith(waiting.execution_id)])
    await steplog.resume(waiting.execution_id, {"yes": True})

    assert (await result).status == "completed"
    assert looks <= 3
