"""The pair, end to end: commands in, rows out, both services stopped and started on the way."""

import asyncio
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest
from aiokafka import AIOKafkaProducer

from contracts.codec import encode_command
from contracts.commands import RunPipeline
from contracts.envelope import Record, SentCommand
from executor_service.adapters.system_clock import SystemClock
from tests.benchmarks.load import send_all
from tests.e2e.histories import judge, read_histories
from tests.e2e.weather_shape import BRANCHES, STEP_IDS, weather_shape
from tests.services import Services, create_topics

EXECUTIONS = 500
ALL_ROWS_TIMEOUT_S = 120.0
NEEDS = {
    "clean": (("load",),),
    "fill_gaps": (("clean",),),
    **dict.fromkeys(BRANCHES, (("clean",),)),
    "report": (BRANCHES,),
}
pytestmark = [pytest.mark.e2e, pytest.mark.broker, pytest.mark.database]


@pytest.fixture
def services(
    kafka_bootstrap: str, postgres_url: str, topic_namespace: str, tmp_path: Path
) -> Iterator[Services]:
    """Return the services of a fresh namespace and database; none is left running."""
    services = Services(
        kafka_bootstrap, postgres_url, topic_namespace, tmp_path, "tests.e2e.weather_shape"
    )
    yield services
    services.stop_all()


def commands(count: int) -> tuple[set[str], list[Record]]:
    """Return execution ids and commands; every second one has gaps to fill."""
    ids, records = set(), []
    for number in range(count):
        execution_id = f"weather-{number}"
        command = RunPipeline(
            execution_id=execution_id,
            definition=weather_shape(seconds=0.02),
            input={"n": number, "gaps": number % 2},
        )
        sent = SentCommand(f"run-{number}", "/test", SystemClock().now(), command)
        ids.add(execution_id)
        records.append(encode_command(sent))
    return ids, records


async def rows_when_all_ended(database: asyncpg.Connection, count: int) -> list[asyncpg.Record]:
    """Return every execution row once `count` of them have ended."""
    deadline = time.monotonic() + ALL_ROWS_TIMEOUT_S
    ended = "SELECT count(*) FROM pipeline_executions WHERE completed_at IS NOT NULL"
    while await database.fetchval(ended) < count:
        assert time.monotonic() < deadline, "not every execution has ended"
        await asyncio.sleep(0.1)
    return await database.fetch("SELECT * FROM pipeline_executions")


async def test_nothing_is_lost_or_doubled_when_both_services_are_restarted_once(
    services: Services,
) -> None:
    """500 executions of the example's shape; the executor and the worker get SIGTERM mid-way."""
    await create_topics(services.bootstrap_servers, services.topics)
    services.start_executor()
    services.start_tracker()
    ids, records = commands(EXECUTIONS)
    async with AIOKafkaProducer(bootstrap_servers=services.bootstrap_servers) as producer:
        await send_all(producer, services.topics, records[: EXECUTIONS // 2])
        await asyncio.to_thread(services.wait_ready)
        await asyncio.sleep(0.3)
        executor_exit = await asyncio.to_thread(services.stop, "executor")
        services.start_executor()
        await send_all(producer, services.topics, records[EXECUTIONS // 2 :])
        tracker_exit = await asyncio.to_thread(services.stop, "tracker")
        services.start_tracker()
    database = await asyncpg.connect(services.database_url)
    rows = await rows_when_all_ended(database, EXECUTIONS)
    steps = await database.fetch("SELECT execution_id, step_id, status FROM step_executions")
    await database.close()
    histories = await read_histories(services.bootstrap_servers, services.topics.events)

    assert (executor_exit, tracker_exit) == (0, 0)
    assert judge(histories, ids, NEEDS).clean
    assert Counter(row["execution_id"] for row in rows) == Counter(ids)
    assert {row["status"] for row in rows} == {"completed"}
    assert Counter((step["execution_id"], step["step_id"]) for step in steps) == Counter(
        (execution_id, step_id) for execution_id in ids for step_id in STEP_IDS
    )
    assert {step["status"] for step in steps if step["step_id"] != "fill_gaps"} == {"completed"}
