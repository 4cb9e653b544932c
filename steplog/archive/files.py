"""Archive files by their kind: which writer for a format, which reader for a file."""

from enum import StrEnum
from pathlib import Path

from steplog.archive.format import ArchiveReader, ArchiveWriter, DamagedArchive, Opening
from steplog.archive.jsonl import JsonLinesReader, JsonLinesWriter
from steplog.archive.parquet import ParquetReader, ParquetWriter
from steplog.errors import BadInput

_PARQUET = b"PAR1"


class Format(StrEnum):
    """Kinds of archive files."""

    JSONL = "jsonl"
    PARQUET = "parquet"


def format_of(given: Format | None, out: Path | None) -> Format:
    """Return the format asked for, else the one the file's name tells.

    Raises:
        BadInput: Parquet without a file.
    """
    if given is None:
        given = Format.PARQUET if out is not None and out.suffix == ".parquet" else Format.JSONL
    if given is Format.PARQUET and out is None:
        raise BadInput("A Parquet archive can't go to standard output; name a file with --out.")
    return given


def writer_for(kind: Format, out: Path | None, opening: Opening) -> ArchiveWriter:
    """Return a writer to a file that is not there yet, or to standard output.

    Raises:
        BadInput: the file is there, or can't be written; Parquet's library is missing.
    """
    if out is not None and out.exists():
        raise BadInput(f"The file {out} is there already; name another one with --out.")
    try:
        if kind is Format.PARQUET and out is not None:
            return ParquetWriter(out, opening)
        return JsonLinesWriter(out, opening)
    except OSError as error:
        raise BadInput(f"The file {out} can't be written: {error.strerror or error}.") from error


def reader_for(path: Path) -> ArchiveReader:
    """Return the reader that fits what is in the file.

    Raises:
        BadInput: it can't be read.
        DamagedArchive: it is empty.
    """
    try:
        with path.open("rb") as file:
            begin = file.read(len(_PARQUET))
    except OSError as error:
        raise BadInput(f"The file {path} can't be read: {error.strerror}.") from error
    if not begin:
        raise DamagedArchive(f"The file {path} is empty; give one that `steplog export` wrote.")
    return ParquetReader(path) if begin == _PARQUET else JsonLinesReader(path)
