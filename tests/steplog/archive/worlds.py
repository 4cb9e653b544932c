"""Archives of logs in memory, targets in memory, and all rows a log leads to."""

import sqlite3
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from steplog.archive.epoch_rebase import IMPORT_OWNER, import_claim
from steplog.archive.exporter import export_window
from steplog.archive.files import Format, reader_for, writer_for
from steplog.archive.format import ArchiveReader, Closing, Opening
from steplog.archive.importer import LogNotEmpty
from steplog.archive.selection import Wanted
from steplog_contracts.envelope import Record
from tests.tracker.histories import Log, LogEntry
from tests.verification.past_world import EntriesLog, tracker_of

Partitions = Sequence[Sequence[LogEntry]]
EVERYTHING = Wanted()
# What says where a row's events stand, or when and by which number something was set aside.
OFFSETS = {
    "first_offset", "ended_offset", "log_offset", "epoch", "id", "set_aside_at", "record_headers",
    "resolved_at",
}  # fmt: skip
TABLES = (
    "pipeline_executions", "step_executions", "step_attempts", "step_compensations",
    "step_progress", "interactions", "execution_status_changes", "pipeline_definitions",
    "applied_commands", "refused_commands", "dead_letters",
)  # fmt: skip


class BrokenOff(Exception):
    """The importing process ended here."""


@dataclass
class MemoryTarget:
    """A log in memory that can break off before any append; as the port wants it."""

    partitions: list[Log] = field(default_factory=list)
    appends_left: int = 10**9

    async def prepare(self, partitions: int) -> None:
        """Have as many partitions as wanted."""
        self.partitions += [Log() for _ in range(partitions - len(self.partitions))]

    async def imported(self, partition: int) -> AsyncGenerator[Record, None]:
        """Yield what earlier runs wrote."""
        for entry in self.partitions[partition].entries:
            if ("ce_type", b"steplog.partition.claimed.v1") not in entry.headers:
                yield Record(entry.key, entry.value, entry.headers)
            elif IMPORT_OWNER.encode() not in (entry.value or b""):
                raise LogNotEmpty("Somebody else's.")

    async def claim(self, partition: int) -> int:
        """Append a claim."""
        claim = import_claim(partition, f"claim-{partition}", datetime(2026, 11, 24, tzinfo=UTC))
        return self.partitions[partition].append(claim)[0].offset

    async def append(self, partition: int, batch: Sequence[tuple[Record, int]]) -> None:
        """Append one by one, until the process ends."""
        for record, _timestamp_ms in batch:
            if self.appends_left == 0:
                raise BrokenOff
            self.appends_left -= 1
            self.partitions[partition].append(record)

    @property
    def entries(self) -> list[list[LogEntry]]:
        """What the partitions hold."""
        return [log.entries for log in self.partitions]


async def archive_of(
    partitions: Partitions,
    path: Path,
    kind: Format = Format.JSONL,
    wanted: Wanted = EVERYTHING,
) -> tuple[ArchiveReader, Closing]:
    """Export a log and return the archive and what it says it holds."""
    selection = {
        "since": wanted.since and wanted.since.isoformat(),
        "until": wanted.until and wanted.until.isoformat(),
    }
    writer = writer_for(kind, path, Opening("t.events", len(partitions), selection, "now"))
    closing = await export_window(EntriesLog(partitions), wanted, writer, ignore_progress)
    writer.close(closing)
    return reader_for(path), closing


def ignore_progress(_done: int, _total: int) -> None:
    """Nobody looks."""


async def all_rows(partitions: Partitions, folder: Path) -> dict[str, list[dict[str, Any]]]:
    """Return every row a tracker makes of a log, without offsets."""
    async with tracker_of(partitions, folder) as rows:
        database = rows.store.database  # type: ignore[attr-defined]
        return {table: await database.run(_reading(table)) for table in TABLES}


def _reading(table: str) -> Any:
    def read(connection: sqlite3.Connection) -> list[dict[str, Any]]:
        rows = [dict(row) for row in connection.execute(f"SELECT * FROM {table}")]
        kept = [{k: v for k, v in row.items() if k not in OFFSETS} for row in rows]
        return sorted(kept, key=repr)

    return read
