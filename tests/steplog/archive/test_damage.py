"""A damaged archive is refused whole, in one sentence, before anything is written."""

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from steplog.archive.files import Format, reader_for, writer_for
from steplog.archive.format import DamagedArchive, Opening
from steplog.archive.importer import import_archives
from steplog.errors import BadInput
from tests.steplog.archive.test_round_trip import a_log
from tests.steplog.archive.worlds import MemoryTarget, archive_of, ignore_progress

Damage = Callable[[bytes], bytes]


def lines_without(number: int) -> Damage:
    """Leave out a line."""
    return lambda content: b"".join(
        line for at, line in enumerate(content.splitlines(keepends=True)) if at != number
    )


JSONL_DAMAGES = {
    "cut off": lambda content: content[: len(content) // 2],
    "without its end": lambda content: content.rstrip(b"\n").rpartition(b"\n")[0] + b"\n",
    "a line gone": lines_without(2),
    "a line twice": lambda content: b"".join(
        line * (1 + (at == 2)) for at, line in enumerate(content.splitlines(keepends=True))
    ),
    "a value changed": lambda content: content.replace(b'\\"n\\":1', b'\\"n\\":2', 1),
    "no opening": lines_without(0),
    "a line that is no record": lambda content: content.replace(b'"offset"', b'"off"', 1),
    "something behind the end": lambda content: content + b'{"more": 1}\n',
    "not an archive": lambda _: b"Hello\n",
    "empty": lambda _: b"",
    "of a later version": lambda content: content.replace(b'"version":1', b'"version":99', 1),
}
PARQUET_DAMAGES = {
    "cut off": lambda content: content[:-200],
    "a byte changed": lambda content: content[:300] + bytes([content[300] ^ 255]) + content[301:],
    "only a name": lambda _: b"PAR1",
}


async def refused(path: Path) -> DamagedArchive:
    """Return why an import refuses the file, having written nothing."""
    target = MemoryTarget()
    with pytest.raises(DamagedArchive) as raised:
        await import_archives([reader_for(path)], target, ignore_progress, allow_gaps=True)
    assert target.partitions == []
    return raised.value


@pytest.mark.parametrize("damage", JSONL_DAMAGES.values(), ids=JSONL_DAMAGES)
async def test_lines_that_are_not_those_written_are_refused(damage: Damage, tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    await archive_of([a_log().entries], path)
    path.write_bytes(damage(path.read_bytes()))

    assert str(path) in str(await refused(path))


@pytest.mark.parametrize("damage", PARQUET_DAMAGES.values(), ids=PARQUET_DAMAGES)
async def test_parquet_that_is_not_what_was_written_is_refused(
    damage: Damage, tmp_path: Path
) -> None:
    path = tmp_path / "a.parquet"
    await archive_of([a_log().entries], path, Format.PARQUET)
    path.write_bytes(damage(path.read_bytes()))

    assert str(path) in str(await refused(path))


def test_without_pyarrow_the_remedy_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)

    with pytest.raises(BadInput, match=r"install steplog\[parquet\], or use --format jsonl"):
        writer_for(Format.PARQUET, tmp_path / "a", Opening("t.events", 1, {}, "now"))


@pytest.mark.parametrize("kind", Format)
def test_a_file_that_is_there_is_never_overwritten(kind: Format, tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_text("mine")

    with pytest.raises(BadInput, match="is there already"):
        writer_for(kind, path, Opening("t.events", 1, {}, "now"))

    assert path.read_text() == "mine"


@pytest.mark.parametrize("kind", Format)
async def test_an_export_that_is_broken_off_leaves_no_file(kind: Format, tmp_path: Path) -> None:
    archive, _ = await archive_of([a_log().entries], tmp_path / "whole")
    writer = writer_for(kind, tmp_path / "half", Opening("t.events", 1, {}, "now"))
    writer.write(next(archive.records()))

    writer.abandon()

    assert os.listdir(tmp_path) == ["whole"]
