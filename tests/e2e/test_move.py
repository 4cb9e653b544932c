"""A file of embedded mode moves into Kafka: what had ended is there, what had not goes on there."""

from pathlib import Path

import asyncpg
import pytest

from executor_service.adapters.embedded.file import EmbeddedFile
from executor_service.adapters.embedded.reader import EmbeddedReader
from executor_service.embedded_errors import FileHeld
from steplog.archive.importer import LogNotEmpty
from steplog.client.addresses import Addresses
from steplog.client.command_builder import resume_execution, run_pipeline
from steplog.client.kafka_sender import CommandSender
from steplog.embedded import Embedded
from steplog.embedded.move_to_kafka import Moved, move
from steplog.embedded.sender import EmbeddedSender
from steplog_contracts.commands import Command
from steplog_contracts.topics import topics_for
from tests.conftest import ServicesFactory
from tests.e2e import chaos_steps
from tests.e2e.chaos_steps import LINEAR, PERSON, Kind
from tests.e2e.histories import admitted, by_execution, judge, read_histories
from tests.e2e.rows import ended_rows, row_with_status

MODULES = [chaos_steps.__name__]
PARTITIONS = 8
pytestmark = [pytest.mark.e2e, pytest.mark.broker, pytest.mark.database]


async def a_file(path: Path) -> Path:
    """Return a file with an execution of each kind: ended, waiting, broken off, not begun."""
    async with Embedded.open(path, step_modules=MODULES) as steplog:
        await steplog.result(await steplog.run(LINEAR.definition, {"n": 1}, execution_id="ended"))
        asked = await steplog.run(PERSON.definition, {"n": 1}, execution_id="waiting")
        await steplog.applied(asked)
        async for glimpse in steplog.watch("waiting"):
            if glimpse.execution.status == "waiting_for_human":
                break
        await steplog.applied(
            await steplog.run(LINEAR.definition, {"n": 1}, execution_id="broken-off")
        )
    async with EmbeddedFile(path) as file:
        await EmbeddedSender(file).send(run(LINEAR, "not-begun"))
    return path


def run(kind: Kind, execution_id: str) -> Command:
    """Return the command that runs one."""
    return run_pipeline(kind.definition, {"n": 1}, {"execution_id": execution_id})


async def moved(path: Path, bootstrap: str, namespace: str) -> Moved:
    """Move the file into fresh topics."""
    addresses = Addresses(bootstrap, "http://127.0.0.1:1", topics_for(namespace, PARTITIONS))
    return await move(path, addresses, lambda _done, _total: None)


async def test_a_moved_history_is_the_same_and_what_had_not_ended_goes_on(
    make_services: ServicesFactory,
    kafka_bootstrap: str,
    topic_namespace: str,
    postgres_url: str,
    tmp_path: Path,
) -> None:
    path = await a_file(tmp_path / "steplog.db")
    async with EmbeddedReader(path) as reader:
        records = await reader.records("events", 0, 10_000)
    before = by_execution(admitted(0, records))

    done = await moved(path, kafka_bootstrap, topic_namespace)

    services = make_services(",".join(MODULES))
    after = await read_histories(kafka_bootstrap, services.topics.events)
    assert {name: [r.event for r in h] for name, h in after.items()} == {
        name: [r.event for r in history] for name, history in before.items()
    }
    assert (done.executions, done.commands, path.exists()) == (3, 1, False)
    services.start_executor()
    services.start_tracker()
    database = await asyncpg.connect(postgres_url)
    await row_with_status(database, "waiting", "waiting_for_human")
    async with CommandSender(kafka_bootstrap, services.topics.commands) as sender:
        await sender.send(resume_execution("waiting", {"ok": True}))
    assert await ended_rows(database, 4) == 4
    await database.close()
    whole = await read_histories(kafka_bootstrap, services.topics.events)
    assert judge(whole, {"ended", "waiting", "broken-off", "not-begun"}, chaos_steps.NEEDS).clean


async def test_a_file_in_use_is_not_moved(
    kafka_bootstrap: str, topic_namespace: str, tmp_path: Path
) -> None:
    path = tmp_path / "steplog.db"
    async with EmbeddedFile(path):
        with pytest.raises(FileHeld, match="in use by process"):
            await moved(path, kafka_bootstrap, topic_namespace)


async def test_topics_that_are_at_work_take_no_file(
    kafka_bootstrap: str, topic_namespace: str, tmp_path: Path
) -> None:
    first, second = tmp_path / "first.db", tmp_path / "second.db"
    for path in (first, second):
        async with EmbeddedFile(path) as file:
            await EmbeddedSender(file).send(run(LINEAR, path.stem))
    await moved(first, kafka_bootstrap, topic_namespace)

    with pytest.raises(LogNotEmpty, match="not empty"):
        await moved(second, kafka_bootstrap, topic_namespace)

    assert second.exists()
