"""Whatever ends a rebuild, the live rows are whole and the next one goes on or begins anew."""

import asyncio
import json
import signal
import sys
from dataclasses import asdict

import asyncpg
import pytest

from tests.integration.tracker_load import until
from tests.services import ROOT
from tests.steplog.cli.command_line import clean_environment
from tests.tracker.rebuild.world import World

pytestmark = [pytest.mark.broker, pytest.mark.database]
STAGES = ("copying", "progress", "indexing", "mending", "following", "comparing", "swapping")
CONNECTIONS = """
SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND starts_with(application_name, 'steplog-')
"""


async def rebuild_killed(world: World, stage: str) -> int | None:
    """Run a rebuild that is killed at a stage; return how it ended."""
    order = asdict(world.order(processes=1))
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.tracker.rebuild.killed",
        stage,
        stdin=asyncio.subprocess.PIPE,
        env=clean_environment(),
        cwd=ROOT,
    )
    await process.communicate(json.dumps(order).encode())
    await nobody_left(world)
    return process.returncode


async def nobody_left(world: World) -> None:
    """Return once no process of a rebuild is connected any more."""

    async def gone() -> bool:
        return (await world.fetch(CONNECTIONS))[0][0] == 0

    await until(gone, "no connection of the killed rebuild")


async def test_killed_at_each_stage_it_leaves_the_rows_alone_and_is_taken_up(
    filled: World,
) -> None:
    before = await filled.rows()
    for stage in STAGES:
        assert await rebuild_killed(filled, stage) == -signal.SIGKILL, stage
        assert await filled.rows() == before, stage

    report = await filled.rebuild()

    assert report.taken_up
    assert report.tally.total == 0
    assert await filled.rows() == before
    assert await filled.schemas() == [report.old_schema]


async def test_killed_while_it_holds_the_locks_of_the_swap_it_has_swapped_nothing(
    filled: World,
) -> None:
    before = await filled.rows()
    reader = await asyncpg.connect(filled.url)
    transaction = reader.transaction()
    await transaction.start()
    await reader.fetch("SELECT 1 FROM pipeline_executions")

    ended = await rebuild_killed(filled, "locked")
    await transaction.rollback()
    await reader.close()

    assert ended == -signal.SIGKILL
    assert await filled.rows() == before
    assert (await filled.rebuild()).swapped


async def test_what_was_copied_before_is_not_copied_again(filled: World) -> None:
    await rebuild_killed(filled, "indexing")
    copied: list[int] = []

    report = await filled.rebuild(_Noting(copied))

    assert report.taken_up
    assert copied == []


async def test_a_log_that_went_on_meanwhile_is_followed(filled: World) -> None:
    await rebuild_killed(filled, "comparing")
    await filled.append_executions(8)
    await filled.project()

    report = await filled.rebuild()

    assert report.taken_up
    assert report.tally.total == 0


class _Noting:
    def __init__(self, copied: list[int]) -> None:
        self._copied = copied

    def stage(self, name: str) -> None:
        """Pass over."""

    def spans(self, spans: object, taken_up: bool) -> None:
        """Pass over."""

    def progress(self, partition: int, next_offset: int, rows: int, /) -> None:
        """Note that a partition is copied."""
        self._copied.append(partition)


async def test_an_interrupt_ends_it_and_its_processes_without_a_traceback(filled: World) -> None:
    before = await filled.rows()
    blocking = await asyncpg.connect(filled.url)
    transaction = blocking.transaction()
    await transaction.start()
    # What a partition's build begins by reading; so it is under way and goes no further.
    await blocking.execute("LOCK TABLE dead_letters IN ACCESS EXCLUSIVE MODE")
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "steplog.cli.main",
        "rebuild",
        "--processes=1",
        env=clean_environment() | filled.servers(),
        cwd=ROOT,
        stderr=asyncio.subprocess.PIPE,
    )
    await until(lambda: building(filled), "a partition is being built")
    process.send_signal(signal.SIGINT)
    _, told = await process.communicate()
    # A backend that waits for a lock does not notice that its client is gone.
    await transaction.rollback()
    await blocking.close()
    await nobody_left(filled)

    assert (process.returncode, told) == (130, b"")
    assert await filled.rows() == before


async def building(world: World) -> bool:
    """Whether a process that builds waits for the lock."""
    waiting = await world.fetch(
        "SELECT 1 FROM pg_locks AS l JOIN pg_database AS d ON d.oid = l.database "
        "WHERE NOT granted AND mode = 'AccessShareLock' AND datname = current_database()"
    )
    return bool(waiting)
