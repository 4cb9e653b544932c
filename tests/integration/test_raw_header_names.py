"""A record whose header names are no text stops nobody, on the events and the commands topic."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest
from aiokafka import TopicPartition

from executor_service.adapters.kafka.event_log import KafkaEventLog
from steplog_contracts.envelope import Record
from steplog_kafka.clients import make_consumer
from tests.conftest import ServicesFactory
from tests.e2e.rows import ended_rows
from tests.e2e.test_pair import commands
from tests.integration.tracker_load import Load, caught_up, prepared, until
from tests.raw_names import PLACEHOLDER, RAW_NAME, send_raw
from tests.services import Services
from tests.tracker.histories import History

RAW_SHOWN = RAW_NAME.decode(errors="backslashreplace")
WAIT_S = 60.0
pytestmark = [pytest.mark.broker, pytest.mark.database]


def unnamed(record: Record) -> Record:
    """The record with the name of its kind replaced by bytes that are no text."""
    return record._replace(
        headers=[(PLACEHOLDER if n == "ce_type" else n, v) for n, v in record.headers]
    )


@pytest.fixture
async def load(
    kafka_bootstrap: str, postgres_url: str, topic_namespace: str, tmp_path: Path
) -> AsyncIterator[Load]:
    """Return a load with a worker behind it."""
    services = Services(
        kafka_bootstrap, postgres_url, topic_namespace, tmp_path, "none", partitions=1
    )
    found = await prepared(services)
    services.start_tracker()
    try:
        yield found
    finally:
        await asyncio.to_thread(services.stop_all)


async def test_such_an_event_is_set_aside_and_those_around_it_are_in_the_rows(load: Load) -> None:
    topic = load.services.topics.events.name
    before, behind = (History(name).whole() for name in ("before", "behind"))
    sick = History("sick")
    begun, (started, completed) = sick.started(), sick.step()
    more = History("one-header-more").whole()
    more[1] = more[1]._replace(headers=[*more[1].headers, (PLACEHOLDER, b"x")])
    records = [*before, begun, started, unnamed(completed), sick.completed(), *more, *behind]

    async with load.producer() as producer:
        await send_raw(producer, topic, 0, records)
    load.partitions[0] = len(records)
    await until(lambda: caught_up(load), "all applied")

    database = await asyncpg.connect(load.services.database_url)
    rows = dict(await database.fetch("SELECT execution_id, status FROM pipeline_executions"))
    letters = await database.fetch("SELECT log_offset, code, record_headers FROM dead_letters")
    await database.close()
    at = len(before) + 2
    assert rows == {
        **dict.fromkeys(("before", "behind", "one-header-more"), "completed"),
        "sick": "running",
    }
    assert {row["log_offset"]: row["code"] for row in letters} == {
        at: "missing_header",
        at + 1: "behind_dead_letter",
    }
    assert RAW_SHOWN.replace("\\", "\\\\").split("\x00")[0] in letters[0]["record_headers"]
    async with KafkaEventLog(load.services.bootstrap_servers, topic) as log:
        read = [logged.offset async for logged in log.read(0, 0, len(records))]
    assert read == list(range(len(records)))


async def test_such_a_command_is_set_aside_and_the_next_one_is_carried_out(
    make_services: ServicesFactory,
) -> None:
    services = make_services("tests.e2e.weather_shape")
    services.partitions = 1
    load = await prepared(services)
    services.start_tracker()
    services.start_executor()
    first, second = commands(2)[1]
    odd = first._replace(
        headers=[(PLACEHOLDER if n in ("ce_id", "ce_type") else n, v) for n, v in first.headers]
    )

    async with load.producer() as producer:
        await send_raw(producer, services.topics.commands.name, 0, [odd, second])
    await _set_aside(services)
    database = await asyncpg.connect(services.database_url)
    try:
        ended = await ended_rows(database, at_least=1)
        rows = await database.fetch("SELECT execution_id FROM pipeline_executions")
    finally:
        await database.close()

    assert ended == 1
    assert [row["execution_id"] for row in rows] == ["weather-1"]


async def _set_aside(services: Services) -> None:
    place = TopicPartition(services.topics.dead_commands.name, 0)
    consumer = make_consumer(services.bootstrap_servers, auto_offset_reset="earliest")
    await consumer.start()
    try:
        consumer.assign([place])
        async with asyncio.timeout(WAIT_S):
            letter = await consumer.getone(place)
    finally:
        await consumer.stop()
    assert RAW_SHOWN in dict(letter.headers)
