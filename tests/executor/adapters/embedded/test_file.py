"""One file for one process: recognised, held, durable, and honest when it can't be written."""

import asyncio
import os
import sqlite3
from contextlib import suppress
from pathlib import Path

import pytest

from executor_service.adapters.embedded.file import EmbeddedFile
from executor_service.adapters.embedded.lock import EmbeddedLock, Holder
from executor_service.adapters.embedded.schema import APPLICATION_ID, FORMAT_VERSION
from executor_service.embedded_errors import FileFailed, FileHeld, FileRefused
from executor_service.ports.resume_point import ResumePoint
from steplog_contracts.envelope import Record

# What is left of the disk when it fills up: some records, then no more.
PAGES_LEFT = 20


def records(count: int, size_bytes: int = 100) -> list[Record]:
    """Return records of a size."""
    return [Record(b"e-1", b"x" * size_bytes, [("n", b"%d" % n)]) for n in range(count)]


async def fill_up(file: EmbeddedFile) -> int:
    """Append until the disk is full; return how many records were acknowledged."""
    pages = file._writer.execute("PRAGMA page_count").fetchone()[0] + PAGES_LEFT
    file._writer.execute(f"PRAGMA max_page_count = {pages}")
    acknowledged = 0
    with suppress(FileFailed):
        while True:
            await file.append("events", records(5, 1_000))
            acknowledged += 5
    return acknowledged


async def test_a_second_process_is_told_who_has_the_file(tmp_path: Path) -> None:
    path = tmp_path / "steplog.db"
    async with EmbeddedFile(path) as file:
        file.lock.tell(Holder(os.getpid(), "http://127.0.0.1:8400"))

        with pytest.raises(FileHeld, match=f"process {os.getpid()}, which answers at http"):
            EmbeddedLock(path).take()

        assert EmbeddedLock(path).holder() == Holder(os.getpid(), "http://127.0.0.1:8400")
    assert EmbeddedLock(path).holder() is None


async def test_what_is_no_database_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("Buy bread.\n" * 200)

    with pytest.raises(FileRefused, match="no SQLite database"):
        await EmbeddedFile(path).__aenter__()

    assert path.read_text() == "Buy bread.\n" * 200


async def test_another_programs_database_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE recipes (name text)")
    other.close()

    with pytest.raises(FileRefused, match="of another program"):
        await EmbeddedFile(path).__aenter__()


async def test_a_file_of_a_newer_steplog_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "newer.db"
    with sqlite3.connect(path) as newer:
        newer.execute("CREATE TABLE log_events (log_offset integer)")
        newer.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        newer.execute(f"PRAGMA user_version = {FORMAT_VERSION + 1}")
    newer.close()

    with pytest.raises(FileRefused, match=r"newer steplog \(format 2, this one knows 1\)"):
        await EmbeddedFile(path).__aenter__()


@pytest.mark.parametrize("place", ["folder", "no/such/folder/steplog.db"])
async def test_what_cannot_be_written_is_named(tmp_path: Path, place: str) -> None:
    (tmp_path / "folder").mkdir()

    with pytest.raises(FileRefused, match="can't be written"):
        await EmbeddedFile(tmp_path / place).__aenter__()


async def test_a_file_that_was_refused_can_be_taken_by_the_next(tmp_path: Path) -> None:
    path = tmp_path / "steplog.db"
    path.write_text("no database " * 100)
    with pytest.raises(FileRefused):
        await EmbeddedFile(path).__aenter__()
    path.unlink()

    async with EmbeddedFile(path) as file:
        assert await file.append("events", records(1)) == 0


async def test_a_full_disk_ends_everything_but_what_was_acknowledged(tmp_path: Path) -> None:
    path = tmp_path / "steplog.db"
    async with EmbeddedFile(path) as file:
        acknowledged = await fill_up(file)

        with pytest.raises(FileFailed, match="database or disk is full; make room"):
            await file.append("commands", records(1))
        with pytest.raises(FileFailed):
            await file.grown("events", file.end("events"))
        assert file.failed.is_set()

    async with EmbeddedFile(path) as again:
        assert again.end("events") == acknowledged > 0


async def test_whoever_waits_for_an_event_is_told_of_the_end_instead(tmp_path: Path) -> None:
    async with EmbeddedFile(tmp_path / "steplog.db") as file:
        waiting = asyncio.create_task(file.grown("commands", 0))

        await fill_up(file)

        with pytest.raises(FileFailed):
            await waiting


async def test_a_follower_gets_what_was_written_without_and_with_the_files_help(
    tmp_path: Path,
) -> None:
    path = tmp_path / "steplog.db"
    async with EmbeddedFile(path) as file:
        await file.append("events", records(7))
        from_memory = await file.read("events", 2, 3)

    async with EmbeddedFile(path) as again:
        from_file = await again.read("events", 2, 3)

    assert [record.offset for record in from_file] == [2, 3, 4]
    assert list(from_memory) == list(from_file)


async def test_how_far_the_commands_are_done_with_outlives_the_process(tmp_path: Path) -> None:
    path = tmp_path / "steplog.db"
    async with EmbeddedFile(path) as file:
        assert await file.committed() == ResumePoint(0, 0, None)
        await file.commit(ResumePoint(3, 14, 1))
        await file.commit(ResumePoint(5, 20, 1))

    async with EmbeddedFile(path) as again:
        assert await again.committed() == ResumePoint(5, 20, 1)


async def test_each_append_is_flushed_to_the_disk(tmp_path: Path) -> None:
    """synchronous=FULL: SQLite waits for the disk at each commit in write-ahead mode."""
    async with EmbeddedFile(tmp_path / "steplog.db") as file:
        assert file._writer.execute("PRAGMA synchronous").fetchone()[0] == 2
        assert file._writer.execute("PRAGMA journal_mode").fetchone()[0] == "wal"
