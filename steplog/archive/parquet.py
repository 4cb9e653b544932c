"""Archives as Parquet: small, and columns for whoever analyses them; needs the extra `parquet`.

Beside the bytes stand execution, seq, type and time as far as headers tell them; an import goes by
the bytes alone. Pages carry checksums; opening and closing are in the file's metadata.
"""

from collections import Counter
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any, Final

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
from steplog.errors import BadInput
from steplog_contracts.private_files import private_file
from tracker_service.projections.record_header import Heading, read_heading

# A row group is in memory until it is written: so many rows or bytes at most.
GROUP_ROWS: Final = 10_000
GROUP_BYTES: Final = 16 * 1024 * 1024
READ_ROWS: Final = 500
_OPENING: Final = b"steplog_archive"
_CLOSING: Final = b"steplog_archive_end"


def _arrow() -> Any:
    try:
        import pyarrow  # noqa: PLC0415 - an extra that most installations do without
        import pyarrow.parquet  # noqa: PLC0415
    except ImportError as error:
        raise BadInput(
            "Parquet archives need pyarrow; install steplog[parquet], or use --format jsonl."
        ) from error
    return pyarrow


class ParquetWriter:
    """Writes row groups to a file beside the one asked for."""

    def __init__(self, path: Path, opening: Opening) -> None:
        self._arrow = _arrow()
        self._path = path
        self._part = path.with_name(f"{path.name}.part")
        schema = _schema(self._arrow).with_metadata({_OPENING: to_json(opening.as_json())})
        private_file(self._part)
        self._writer = self._arrow.parquet.ParquetWriter(
            self._part, schema, compression="zstd", write_page_checksum=True
        )
        self._schema = schema
        self._rows: list[dict[str, Any]] = []
        self._bytes = 0

    def write(self, record: ArchivedRecord) -> None:
        """Add a record."""
        self._rows.append(_row(record))
        self._bytes += len(record.value or b"")
        if len(self._rows) >= GROUP_ROWS or self._bytes >= GROUP_BYTES:
            self._flush()

    def close(self, closing: Closing) -> None:
        """Write what is left and the closing, and give the file its name."""
        self._flush()
        self._writer.add_key_value_metadata({_CLOSING: to_json(closing.as_json())})
        self._writer.close()
        self._part.replace(self._path)

    def abandon(self) -> None:
        """Remove what was written."""
        self._writer.close()
        self._part.unlink(missing_ok=True)

    def _flush(self) -> None:
        if self._rows:
            self._writer.write_table(self._arrow.Table.from_pylist(self._rows, self._schema))
        self._rows, self._bytes = [], 0


class ParquetReader:
    """Reads such a file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._arrow = _arrow()

    @cached_property
    def opening(self) -> Opening:
        """What the file's metadata say."""
        return opening_of(self._metadata(_OPENING), self.path)

    def records(self) -> Iterator[ArchivedRecord]:
        """Yield its records in order; see `ArchiveReader`."""
        found = Counter[int]()
        try:
            with self._open() as file:
                for batch in file.iter_batches(READ_ROWS):
                    for row in batch.to_pylist():
                        found[row["partition"]] += 1
                        yield _record(row)
        except (self._arrow.ArrowException, OSError, KeyError) as error:
            raise self._damaged(error) from error
        closing = self._metadata(_CLOSING)
        if closing is None:
            raise cut_off(self.path)
        check_whole(self.path, found, closing)

    def _metadata(self, name: bytes) -> Any:
        try:
            with self._open() as file:
                text = (file.metadata.metadata or {}).get(name)
            return None if text is None else from_json(text)
        except (self._arrow.ArrowException, OSError, ValueError) as error:
            raise self._damaged(error) from error

    def _open(self) -> Any:
        return self._arrow.parquet.ParquetFile(self.path, page_checksum_verification=True)

    def _damaged(self, error: Exception) -> DamagedArchive:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        return DamagedArchive(
            f"The archive {self.path} is damaged ({reason}). Export it again, or give another copy."
        )


def _schema(arrow: Any) -> Any:
    header = arrow.struct([("name", arrow.string()), ("value", arrow.binary())])
    return arrow.schema(
        [
            ("partition", arrow.int32()),
            ("offset", arrow.int64()),
            ("timestamp_ms", arrow.int64()),
            ("execution_id", arrow.string()),
            ("seq", arrow.int64()),
            ("type", arrow.string()),
            ("time", arrow.timestamp("us", tz="UTC")),
            ("key", arrow.binary()),
            ("value", arrow.binary()),
            ("headers", arrow.list_(header)),
        ]
    )


def _row(record: ArchivedRecord) -> dict[str, Any]:
    heading = read_heading(record)
    known = isinstance(heading, Heading)
    return {
        **record._asdict(),
        "execution_id": heading.execution_id,
        "seq": heading.seq,
        "type": heading.kind if isinstance(heading, Heading) else None,
        "time": heading.time if isinstance(heading, Heading) and known else None,
        "headers": [{"name": name, "value": value} for name, value in record.headers],
    }


def _record(row: dict[str, Any]) -> ArchivedRecord:
    return ArchivedRecord(
        row["partition"],
        row["offset"],
        row["timestamp_ms"],
        row["key"],
        row["value"],
        tuple((header["name"], header["value"]) for header in row["headers"]),
    )
