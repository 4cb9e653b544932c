"""Archives between namespaces of a real broker, and what services make of an imported log."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest

from executor_service.adapters.kafka.event_log import KafkaEventLog
from steplog.archive.exporter import export_window
from steplog.archive.files import Format, reader_for, writer_for
from steplog.archive.format import ArchiveReader, Opening
from steplog.archive.importer import Imported, LogNotEmpty, import_archives
from steplog.archive.kafka_target import KafkaImportTarget
from steplog.archive.selection import Wanted
from steplog_contracts.envelope import Record
from steplog_contracts.events import ExecutionCompleted
from steplog_contracts.topics import Topics, topics_for
from tests.conftest import TEST_PARTITIONS, ServicesFactory
from tests.contracts.old_log import old_log
from tests.steplog.archive.test_round_trip import a_log
from tests.steplog.archive.worlds import all_rows, archive_of, ignore_progress
from tests.tracker.histories import History, Log, LogEntry, claim
from tracker_service.log.kafka_events_log import KafkaEventsLog

pytestmark = pytest.mark.broker
COMPLETES_WITHIN_S = 60.0
LOOK_S = 0.1


class Stopped(Exception):
    """Ctrl-C."""


async def append(bootstrap: str, topics: Topics, entries: Sequence[LogEntry]) -> None:
    """Append to partition 0 as an executor does."""
    async with KafkaEventLog(bootstrap, topics.events.name) as log:
        await log.append(0, [Record(e.key, e.value, e.headers) for e in entries])


async def read(bootstrap: str, topics: Topics) -> list[LogEntry]:
    """Return what is in partition 0."""
    log = KafkaEventsLog(bootstrap, topics.events.name)
    end = (await log.bounds()).ends[0]
    return [
        LogEntry(r.offset, r.key, r.value, list(r.headers), r.timestamp)
        async for records in log.read(0, 0, end)
        for r in records
    ]


async def export(bootstrap: str, topics: Topics, path: Path, kind: Format) -> ArchiveReader:
    opening = Opening(topics.events.name, TEST_PARTITIONS, {}, "now")
    writer = writer_for(kind, path, opening)
    log = KafkaEventsLog(bootstrap, topics.events.name)
    writer.close(await export_window(log, Wanted(), writer, ignore_progress))
    return reader_for(path)


async def fill(bootstrap: str, topics: Topics, archive: ArchiveReader) -> Imported:
    async with KafkaImportTarget(bootstrap, topics) as target:
        return await import_archives([archive], target, ignore_progress, allow_gaps=True)


@pytest.fixture
def another(topic_namespace: str) -> Topics:
    """Return topics that are not there yet."""
    return topics_for(f"{topic_namespace}-2", TEST_PARTITIONS)


@pytest.mark.parametrize("kind", Format)
async def test_an_empty_cluster_is_filled_with_all_that_readers_took(
    kind: Format, kafka_bootstrap: str, topics: Topics, another: Topics, tmp_path: Path
) -> None:
    await append(kafka_bootstrap, topics, a_log().entries)
    archive = await export(kafka_bootstrap, topics, tmp_path / "archive", kind)

    first = await fill(kafka_bootstrap, another, archive)
    again = await fill(kafka_bootstrap, another, archive)

    there, here = await read(kafka_bootstrap, topics), await read(kafka_bootstrap, another)
    assert await all_rows([here], tmp_path / "here") == await all_rows([there], tmp_path / "there")
    assert (again.written, again.there_before) == (0, first.written)
    stamps = {entry.timestamp for entry in there}
    assert {entry.timestamp for entry in here[1:]} <= stamps


async def test_an_interrupted_import_goes_on_where_it_stopped(
    kafka_bootstrap: str, topics: Topics, another: Topics, tmp_path: Path
) -> None:
    log = Log()
    log.append(claim())
    for number in range(400):
        log.append(History(f"e-{number}", epoch=0).whole())
    await append(kafka_bootstrap, topics, log.entries)
    archive = await export(kafka_bootstrap, topics, tmp_path / "a.jsonl", Format.JSONL)

    def stop(_done: int, _total: int) -> None:
        raise Stopped

    with pytest.raises(Stopped):
        async with KafkaImportTarget(kafka_bootstrap, another) as target:
            await import_archives([archive], target, stop)
    done = await fill(kafka_bootstrap, another, archive)

    assert (done.there_before, done.there_before + done.written) == (500, 1600)
    here = await read(kafka_bootstrap, another)
    assert await all_rows([here], tmp_path / "b") == await all_rows([log.entries], tmp_path / "a")


async def test_a_cluster_at_work_is_refused_and_nothing_changes(
    kafka_bootstrap: str, topics: Topics, tmp_path: Path
) -> None:
    await append(kafka_bootstrap, topics, a_log().entries)
    archive = await export(kafka_bootstrap, topics, tmp_path / "a.jsonl", Format.JSONL)
    before = await read(kafka_bootstrap, topics)

    with pytest.raises(LogNotEmpty, match="belongs to an executor"):
        await fill(kafka_bootstrap, topics, archive)

    assert await read(kafka_bootstrap, topics) == before


async def test_an_executor_that_claims_meanwhile_stops_the_import(
    kafka_bootstrap: str, another: Topics
) -> None:
    async with KafkaImportTarget(kafka_bootstrap, another) as target:
        await target.prepare(TEST_PARTITIONS)
        await target.claim(0)
        await append(kafka_bootstrap, another, [LogEntry(0, *claim(owner="an executor"))])

        with pytest.raises(LogNotEmpty, match="Somebody else writes to partition 0"):
            await target.append(0, [(History("e-1", epoch=0).started(), 0)])


@pytest.mark.e2e
@pytest.mark.database
async def test_an_executor_goes_on_with_what_was_imported_unfinished(
    make_services: ServicesFactory, topic_namespace: str, tmp_path: Path
) -> None:
    """Even with a log that a version from before the first release has written."""
    services = make_services("tests.executor.support.people_steps")
    services.partitions = 1
    topics = topics_for(topic_namespace, 1)
    archive, _ = await archive_of([old_log()], tmp_path / "old.jsonl")
    await fill(services.bootstrap_servers, topics, archive)

    services.start_executor()

    kinds = await asyncio.wait_for(
        kinds_once_ended(services.bootstrap_servers, topics, b"old-3"), COMPLETES_WITHIN_S
    )
    assert kinds[-1] == ExecutionCompleted.event_type
    assert len(kinds) == 7


async def kinds_once_ended(bootstrap: str, topics: Topics, key: bytes) -> list[str]:
    """Return the types of an execution's events once it has completed."""
    while True:
        entries = [entry for entry in await read(bootstrap, topics) if entry.key == key]
        kinds = [dict(entry.headers)["ce_type"].decode() for entry in entries]
        if ExecutionCompleted.event_type in kinds:
            return kinds
        await asyncio.sleep(LOOK_S)
