"""What is exported and imported is what readers of the first log took: no more, no less, as it was.

Property: for every log, with claims, late appends, repeats, poison and holes, a tracker makes the
same rows of the imported log as of the first one, but for offsets; also if the import is broken
off anywhere and run again.
"""

import asyncio
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from steplog.archive import importer
from steplog.archive.continuity import ArchiveHasGap
from steplog.archive.files import Format
from steplog.archive.importer import LogNotEmpty, import_archives
from steplog_contracts import events
from steplog_contracts.envelope import Record
from steplog_contracts.partitioning import partition_of_key
from tests.steplog.archive.worlds import (
    BrokenOff,
    MemoryTarget,
    Partitions,
    all_rows,
    archive_of,
    ignore_progress,
)
from tests.tracker.histories import History, Log, claim, refused
from tests.verification.test_tracker_exactness import Moves
from tests.verification.tracker_world import LOGS, written


async def imported(partitions: Partitions, folder: Path, broken_off: list[int]) -> MemoryTarget:
    """Export a log and import it, breaking off after so many appends each time."""
    archive, _ = await archive_of(partitions, folder / "log.jsonl")
    target = MemoryTarget()
    for appends in broken_off:
        target.appends_left = appends
        try:
            await import_archives([archive], target, ignore_progress, allow_gaps=True)
        except BrokenOff:
            continue
    target.appends_left = 10**9
    await import_archives([archive], target, ignore_progress, allow_gaps=True)
    return target


def judge(moves: Moves, broken_off: list[int]) -> None:
    async def run(folder: Path) -> None:
        partitions = written(moves)
        target = await imported(partitions, folder, broken_off)
        before = await all_rows(partitions, folder / "before")
        after = await all_rows(target.entries, folder / "after")

        assert after == before

    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(run(Path(folder)))


@settings(max_examples=50, deadline=None)
@given(moves=LOGS, broken_off=st.lists(st.integers(0, 12), max_size=3))
def test_the_imported_log_leads_to_the_same_rows(moves: Moves, broken_off: list[int]) -> None:
    judge(moves, broken_off)


def test_the_harness_finds_an_epoch_that_is_not_rebased(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two claims in the first log, one in the imported: the old epoch would make all stale."""
    monkeypatch.setattr(
        importer,
        "rebased",
        lambda record, _epoch: Record(record.key, record.value, list(record.headers)),
    )
    moves: Moves = [(0, "claim", 0, 0, 0), (0, "start", 0, 0, 0)]

    with pytest.raises(AssertionError):
        judge(moves, [])


def a_log() -> Log:
    """Claims, an execution, a late append, a refusal, bytes nobody reads, a program's own run."""
    log = Log()
    log.append([claim(owner="first"), claim(owner="second")])
    history = History("e-1", epoch=1)
    log.append([history.started(cause="c-1"), *history.step("a")])
    log.append(History("e-1", epoch=0, seq=3).record(events.ExecutionFailed(error=LATE)))
    log.append(refused("c-2", epoch=1))
    log.append(history.record(events.StepCompleted(step_id="b"))._replace(value=b"\xff\x00{"))
    log.append(History("own").whole())
    return log


LATE = events.ErrorInfo(type="E", message="late")


@pytest.mark.parametrize("kind", Format)
async def test_both_formats_keep_every_byte(kind: Format, tmp_path: Path) -> None:
    log = a_log()
    archive, closing = await archive_of([log.entries], tmp_path / "archive", kind)

    records = list(archive.records())
    taken = [entry for entry in log.entries if entry.offset not in (0, 1, 5)]
    assert [(r.offset, r.key, r.value, list(r.headers)) for r in records] == [
        (entry.offset, entry.key, entry.value, entry.headers) for entry in taken
    ]
    assert (closing.stale, closing.executions, closing.unfinished) == (1, 2, 1)


async def test_an_import_changes_nothing_but_the_epoch_and_offsets(tmp_path: Path) -> None:
    log = a_log()
    target = await imported([log.entries], tmp_path, [])

    entries = target.entries[0]
    assert dict(entries[0].headers)["ce_type"] == b"steplog.partition.claimed.v1"
    assert dict(entries[1].headers)["ce_writerepoch"] == b"0"
    assert "ce_writerepoch" not in dict(entries[-1].headers)
    assert [entry.value for entry in entries[1:]] == [
        entry.value for entry in log.entries if entry.offset not in (0, 1, 5)
    ]


@settings(max_examples=15, deadline=None)
@given(moves=LOGS, partitions=st.sampled_from((1, 3, 5)), broken_off=st.integers(0, 12))
def test_another_number_of_partitions_leads_to_the_same_rows(
    moves: Moves, partitions: int, broken_off: int
) -> None:
    """Each history goes where its key belongs, whole and in order."""

    async def run(folder: Path) -> None:
        archive, _ = await archive_of(written(moves), folder / "log.jsonl")
        target = MemoryTarget(appends_left=broken_off)
        wanted = {"partitions": partitions, "allow_gaps": True}
        with suppress(BrokenOff):
            await import_archives([archive], target, ignore_progress, **wanted)
        target.appends_left = 10**9
        await import_archives([archive], target, ignore_progress, **wanted)

        before = await all_rows(written(moves), folder / "before")
        after = await all_rows(target.entries, folder / "after")
        assert without_partitions(after) == without_partitions(before)
        for partition, entries in enumerate(target.entries):
            keys = {entry.key for entry in entries if not (entry.key or b"").startswith(b"part")}
            assert {partition_of_key(key or b"", partitions) for key in keys} <= {partition}

    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(run(Path(folder)))


def without_partitions(rows: dict[str, list[dict[str, Any]]]) -> dict[str, list[str]]:
    return {
        table: sorted(repr({k: v for k, v in row.items() if k != "partition"}) for row in found)
        for table, found in rows.items()
    }


async def test_a_second_import_of_the_same_has_nothing_to_do(tmp_path: Path) -> None:
    archive, _ = await archive_of([a_log().entries], tmp_path / "a.jsonl")
    target = MemoryTarget()
    first = await import_archives([archive], target, ignore_progress, allow_gaps=True)
    length = len(target.entries[0])

    second = await import_archives([archive], target, ignore_progress, allow_gaps=True)

    assert (second.written, second.there_before) == (0, first.written)
    assert len(target.entries[0]) == length


async def test_a_log_with_other_events_is_refused(tmp_path: Path) -> None:
    archive, _ = await archive_of([a_log().entries], tmp_path / "a.jsonl")
    other = Log()
    other.append(claim(owner="steplog import"))
    other.append(History("e-9", epoch=0).whole())
    target = MemoryTarget([other])

    with pytest.raises(LogNotEmpty, match="not how these archives begin"):
        await import_archives([archive], target, ignore_progress)

    assert len(target.entries[0]) == 5


async def test_a_history_that_lacks_events_is_refused_before_anything_is_written(
    tmp_path: Path,
) -> None:
    log = Log()
    history = History("e-1")
    events_of_it = [history.started(), *history.step("a"), history.completed()]
    log.append([events_of_it[0], events_of_it[3]])
    archive, _ = await archive_of([log.entries], tmp_path / "a.jsonl")
    target = MemoryTarget()

    with pytest.raises(ArchiveHasGap, match="lack events 2 to 3 of execution e-1"):
        await import_archives([archive], target, ignore_progress)

    assert target.partitions == []
