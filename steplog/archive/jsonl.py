"""Archives as JSON Lines: one record a line, readable by eye and by any tool.

Bytes that are UTF-8 stand as text, all others as `{"base64": ...}`. The last line has the digest of
all lines before it.
"""

import base64
import hashlib
import json
import os
import sys
from collections import Counter
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO, Final

from pydantic_core import from_json, to_json

from steplog.archive.format import (
    ArchivedRecord,
    Closing,
    DamagedArchive,
    Opening,
    check_whole,
    cut_off,
    opening_of,
)
from steplog_contracts.private_files import open_private

# Longer than any record a broker takes, written as text.
MAX_LINE_BYTES: Final = 64 * 1024 * 1024


class JsonLinesWriter:
    """Writes lines to a file beside the one asked for, or to standard output as they come."""

    def __init__(self, path: Path | None, opening: Opening) -> None:
        self._path = path
        self._digest = hashlib.sha256()
        self._part = None if path is None else path.with_name(f"{path.name}.part")
        self._file: BinaryIO = sys.stdout.buffer if self._part is None else open_private(self._part)
        # There characters that steer a terminal are written as their escapes; it reads the same.
        self._on_terminal = self._part is None and sys.stdout.isatty()
        self._line({"steplog_archive": opening.as_json()})

    def write(self, record: ArchivedRecord) -> None:
        """Add a record."""
        self._line(
            {
                "partition": record.partition,
                "offset": record.offset,
                "timestamp_ms": record.timestamp_ms,
                "key": _text(record.key),
                "headers": [[name, _text(value)] for name, value in record.headers],
                "value": _text(record.value),
            }
        )

    def close(self, closing: Closing) -> None:
        """Write the last line and give the file its name."""
        self._line({"end": closing.as_json(), "sha256": self._digest.hexdigest()})
        self._file.flush()
        if self._part is not None and self._path is not None:
            os.fsync(self._file.fileno())
            self._file.close()
            self._part.replace(self._path)

    def abandon(self) -> None:
        """Remove what was written."""
        if self._part is not None:
            self._file.close()
            self._part.unlink(missing_ok=True)

    def _line(self, told: Any) -> None:
        line = (_shown(told) if self._on_terminal else to_json(told)) + b"\n"
        self._digest.update(line)
        self._file.write(line)


class JsonLinesReader:
    """Reads such a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @cached_property
    def opening(self) -> Opening:
        """What the first line says."""
        with self.path.open("rb") as file:
            first = self._parsed(file.readline(MAX_LINE_BYTES), 1)
        return opening_of(first.get("steplog_archive"), self.path)

    def records(self) -> Iterator[ArchivedRecord]:
        """Yield its records in order; see `ArchiveReader`."""
        digest, found = hashlib.sha256(), Counter[int]()
        with self.path.open("rb") as file:
            digest.update(file.readline(MAX_LINE_BYTES))
            for number, line in enumerate(_lines(file), 2):
                told = self._parsed(line, number)
                if "end" in told:
                    self._check_end(told, digest.hexdigest(), found, file)
                    return
                digest.update(line)
                record = self._record(told, number)
                found[record.partition] += 1
                yield record
        raise cut_off(self.path)

    def _check_end(self, told: Any, digest: str, found: Counter[int], file: BinaryIO) -> None:
        check_whole(self.path, found, told["end"])
        if told.get("sha256") != digest or file.readline(MAX_LINE_BYTES):
            raise DamagedArchive(
                f"The archive {self.path} is damaged: its lines are not those that were written. "
                "Export it again, or give another copy."
            )

    def _record(self, told: Any, number: int) -> ArchivedRecord:
        try:
            return ArchivedRecord(
                int(told["partition"]),
                int(told["offset"]),
                int(told["timestamp_ms"]),
                _bytes(told["key"]),
                _bytes(told["value"]),
                tuple((str(name), _bytes(value)) for name, value in told["headers"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise self._damaged(number) from error

    def _parsed(self, line: bytes, number: int) -> dict[str, Any]:
        try:
            told = from_json(line)
        except ValueError as error:
            raise (self._damaged(number) if number > 1 else _no_archive(self.path)) from error
        if not isinstance(told, dict):
            raise self._damaged(number)
        return told

    def _damaged(self, number: int) -> DamagedArchive:
        return DamagedArchive(
            f"Line {number} of the archive {self.path} can't be read: the file is damaged. Export "
            "it again, or give another copy."
        )


def _shown(told: Any) -> bytes:
    return json.dumps(told).replace("\x7f", "\\u007f").encode()


def _no_archive(path: Path) -> DamagedArchive:
    return DamagedArchive(
        f"The file {path} is no archive of steplog; give one that `steplog export` wrote."
    )


def _lines(file: BinaryIO) -> Iterator[bytes]:
    while line := file.readline(MAX_LINE_BYTES):
        yield line


def _text(value: bytes | None) -> str | dict[str, str] | None:
    if value is None:
        return None
    try:
        return value.decode()
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(value).decode()}


def _bytes(told: Any) -> bytes | None:
    if told is None:
        return None
    if isinstance(told, str):
        return told.encode()
    return base64.b64decode(told["base64"], validate=True)
