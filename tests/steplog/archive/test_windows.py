"""Archives of windows of time: whole executions, none cut in two, none twice."""

from datetime import timedelta
from pathlib import Path

import pytest

from steplog.archive.archive_set import check_together, windows_left_out
from steplog.archive.files import reader_for
from steplog.archive.importer import import_archives
from steplog.archive.selection import Wanted
from steplog.errors import BadInput
from tests.steplog.archive.worlds import MemoryTarget, archive_of, ignore_progress
from tests.tracker.histories import BEGINNING, History, Log, LogEntry, claim

HOUR = timedelta(hours=1)


def stamped(log: Log) -> list[LogEntry]:
    """Return entries with the broker's time, that of their events."""
    return [LogEntry(e.offset, e.key, e.value, e.headers, stamp_ms(e)) for e in log.entries]


def stamp_ms(entry: LogEntry) -> int:
    """Return the beginning of the hour that the key names."""
    _, _, hour = (entry.key or b"").partition(b"@")
    return int((BEGINNING + int(hour or 0) * HOUR).timestamp() * 1000)


def at(hour: int, name: str) -> History:
    """Return a history that begins in an hour."""
    return History(f"{name}@{hour}", epoch=0, time=BEGINNING + hour * HOUR)


def three_hours() -> list[LogEntry]:
    """One execution an hour; the first ends in the third."""
    log = Log()
    log.append(claim())
    first, second, third = at(0, "a"), at(1, "b"), at(2, "c")
    log.append([first.started(), *first.step()])
    log.append(second.whole())
    log.append(third.whole()[:2])
    log.append(first.completed())
    return stamped(log)


def window(since: int | None, until: int | None) -> Wanted:
    return Wanted(*(None if h is None else BEGINNING + h * HOUR for h in (since, until)))


@pytest.mark.parametrize(
    ("wanted", "names", "unfinished"),
    [
        (window(0, 1), ["a@0"] * 4, 0),
        (window(1, 2), ["b@1"] * 4, 0),
        (window(2, None), ["c@2"] * 2, 1),
        (window(3, None), [], 0),
    ],
)
async def test_an_execution_belongs_to_the_window_it_began_in(
    wanted: Wanted, names: list[str], unfinished: int, tmp_path: Path
) -> None:
    archive, closing = await archive_of([three_hours()], tmp_path / "a.jsonl", wanted=wanted)

    assert [(record.key or b"").decode() for record in archive.records()] == names
    assert closing.unfinished == unfinished


async def test_a_late_append_at_the_windows_beginning_is_known_as_such(tmp_path: Path) -> None:
    """The claim that made it stale lies before the window: the log is asked for it."""
    log = Log()
    log.append([claim(owner="old"), claim(owner="new")])
    log.append(History("x@0", epoch=1).whole())
    log.append(History("x@5", epoch=0, time=BEGINNING + 5 * HOUR).whole())
    log.append(History("y@5", epoch=1, time=BEGINNING + 5 * HOUR).whole())
    entries = stamped(log)

    archive, closing = await archive_of([entries], tmp_path / "a.jsonl", wanted=window(5, None))

    assert {(record.key or b"").decode() for record in archive.records()} == {"y@5"}
    assert closing.executions == 1


async def test_windows_side_by_side_fill_one_log(tmp_path: Path) -> None:
    entries = three_hours()
    paths = [tmp_path / "first.jsonl", tmp_path / "second.parquet"]
    for path, wanted in zip(paths, (window(None, 1), window(1, None)), strict=True):
        await archive_of([entries], path, wanted=wanted)
    archives = [reader_for(path) for path in paths]
    target = MemoryTarget()

    done = await import_archives(archives, target, ignore_progress)

    assert (done.executions, done.written) == (3, 10)
    assert windows_left_out(archives) == []


async def test_windows_that_overlap_are_refused_and_gaps_between_are_told(tmp_path: Path) -> None:
    entries = three_hours()
    wanted = {"a": window(0, 2), "b": window(1, 2), "c": window(3, 4)}
    archives = {
        name: (await archive_of([entries], tmp_path / f"{name}.jsonl", wanted=one))[0]
        for name, one in wanted.items()
    }

    with pytest.raises(BadInput, match="may hold the same executions"):
        check_together([archives["a"], archives["b"]])

    (told,) = windows_left_out([archives["c"], archives["a"]])
    assert "2026-01-01T02:00:00" in told
    assert "2026-01-01T03:00:00" in told


async def test_archives_of_topics_of_different_sizes_are_refused(tmp_path: Path) -> None:
    one, _ = await archive_of([[]], tmp_path / "one.jsonl")
    two, _ = await archive_of([[], []], tmp_path / "two.jsonl")

    with pytest.raises(BadInput, match=r"different numbers of partitions \(1, 2\)"):
        check_together([one, two])
