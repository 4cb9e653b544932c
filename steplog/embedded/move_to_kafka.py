"""From a file of embedded mode into empty topics of a broker; what had not ended goes on there.

An archive is made of the file and imported, so epochs and offsets are rebased as they are for every
archive, and readers take exactly the same events. With it go the stored values and the commands
that nothing came of yet. The file is held meanwhile, so that nothing is added to it, and is named
away at the end, so that nobody goes on with it as well.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from executor_service.adapters.embedded.event_log import EmbeddedEventLog
from executor_service.adapters.embedded.file import EmbeddedFile
from executor_service.adapters.fsspec_store import FsspecStore
from executor_service.log.recovery import PartitionFold
from steplog.archive.exporter import Progress, export_window
from steplog.archive.files import Format, reader_for, writer_for
from steplog.archive.format import Opening
from steplog.archive.importer import import_archives
from steplog.archive.kafka_target import KafkaImportTarget
from steplog.archive.selection import Wanted
from steplog.client.addresses import Addresses
from steplog.embedded.history import EmbeddedHistory
from steplog.embedded.settings import EmbeddedSettings
from steplog.errors import BadInput
from steplog_contracts.codec import decode_command
from steplog_contracts.envelope import Record, format_time
from steplog_contracts.errors import ContractError

MOVED_SUFFIX: Final = ".moved"
_ARCHIVE_SUFFIX: Final = ".moving.jsonl"


@dataclass(frozen=True, slots=True)
class Moved:
    """What went over, and where the file is now."""

    events: int
    executions: int
    commands: int
    stored_values: int
    kept_as: Path


async def move(
    path: Path,
    addresses: Addresses,
    progress: Progress,
    replication_factor: int | None = None,
) -> Moved:
    """Copy everything in the file to the topics at the addresses; run again if it was broken off.

    Raises:
        FileRefused: another process has the file open, or it can't be used.
        LogNotEmpty: the topics hold something else.
        BadInput: there are stored values and no store for them.
    """
    archive = path.with_name(path.name + _ARCHIVE_SUFFIX)
    archive.unlink(missing_ok=True)
    async with EmbeddedFile(path) as file:
        stored_values = _copy_payloads(EmbeddedSettings(path), addresses)
        commands = await _waiting_commands(file)
        await _export(file, archive)
        target = KafkaImportTarget(
            addresses.kafka_bootstrap_servers, addresses.topics, replication_factor
        )
        partitions = addresses.topics.events.partitions
        try:
            async with target:
                done = await import_archives(
                    [reader_for(archive)], target, progress, partitions=partitions
                )
                await target.send_commands(commands)
        finally:
            archive.unlink()
        kept_as = _named_away(path)
    events = done.written + done.there_before
    return Moved(events, done.executions, len(commands), stored_values, kept_as)


async def _export(file: EmbeddedFile, archive: Path) -> None:
    topic = EmbeddedSettings(file.path).topics.events
    selection = dict.fromkeys(("execution_id", "since", "until"))
    opening = Opening(topic.name, topic.partitions, selection, format_time(datetime.now(UTC)))
    writer = writer_for(Format.JSONL, archive, opening)
    try:
        closing = await export_window(
            EmbeddedHistory(file.reader), Wanted(), writer, lambda _done, _total: None
        )
        writer.close(closing)
    except BaseException:
        writer.abandon()
        raise


async def _waiting_commands(file: EmbeddedFile) -> list[Record]:
    """Return the commands that led to nothing yet; the others' effects are in the history."""
    point = await file.committed()
    fold = PartitionFold(point.epoch)
    log = EmbeddedEventLog(file, "events")
    async for logged in log.read(0, point.mark, file.end("events")):
        fold.feed(logged)
    handled = fold.recovered.handled_commands
    end = file.end("commands")
    found = await file.reader.records("commands", point.command_offset, end)
    records = [Record(record.key, record.value, record.headers) for record in found]
    return [record for record in records if _command_id(record) not in handled]


def _command_id(record: Record) -> str | None:
    try:
        return decode_command(record.value, record.headers).command_id
    except ContractError:
        return None  # The executor there sets it aside, as the one here would have.


def _named_away(path: Path) -> Path:
    return path.rename(path.with_name(path.name + MOVED_SUFFIX))


def _copy_payloads(settings: EmbeddedSettings, addresses: Addresses) -> int:
    """Copy the values stored beside the log; they are named by their content, so only once each."""
    stored = [path for path in Path(settings.payload_url).glob("*/*.json") if path.is_file()]
    if not stored:
        return 0
    if addresses.payload_store is None:
        raise BadInput(
            f"{settings.payload_url} holds {len(stored)} values that are too large for events; "
            "say where they go with STEPLOG_PAYLOAD_STORE."
        )
    store = FsspecStore(addresses.payload_store)
    for path in stored:
        store.put(path.stem, path.read_bytes())
    return len(stored)
