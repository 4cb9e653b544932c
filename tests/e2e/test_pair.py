"""The pair, end to end: commands in, rows out, both services stopped and started on the way."""

import asyncio
from collections import Counter

import asyncpg
import pytest
from aiokafka import AIOKafkaProducer

from executor_service.adapters.system_clock import SystemClock
from steplog_contracts.codec import encode_command
from steplog_contracts.commands import RunPipeline
from steplog_contracts.envelope import Record, SentCommand
from tests.benchmarks.load import send_all
from tests.conftest import ServicesFactory
from tests.e2e.histories import judge, read_histories
from tests.e2e.rows import ended_rows
from tests.e2e.weather_shape import BRANCHES, STEP_IDS, weather_shape
from tests.services import create_topics

EXECUTIONS = 500
NEEDS = {
    "clean": (("load",),),
    "fill_gaps": (("clean",),),
    **dict.fromkeys(BRANCHES, (("clean",),)),
    "report": (BRANCHES,),
}
pytestmark = [pytest.mark.e2e, pytest.mark.broker, pytest.mark.database]


def commands(count: int) -> tuple[set[str], list[Record]]:
    """Return execution ids and commands; every second one has gaps to fill."""
    ids, records = set(), []
    for number in range(count):
        execution_id = f"weather-{number}"
        command = RunPipeline(
            execution_id=execution_id,
            definition=weather_shape(seconds=0.05),
            input={"n": number, "gaps": number % 2},
        )
        sent = SentCommand(f"run-{number}", "/test", SystemClock().now(), command)
        ids.add(execution_id)
        records.append(encode_command(sent))
    return ids, records


async def test_nothing_is_lost_or_doubled_when_both_services_are_restarted_once(
    make_services: ServicesFactory,
) -> None:
    """500 executions of the example's shape; the executor and the worker get SIGTERM mid-way."""
    # Few at a time, so that both restarts fall in the middle of the work.
    services = make_services("tests.e2e.weather_shape", STEPLOG_MAX_EXECUTIONS_IN_FLIGHT="32")
    await create_topics(services.bootstrap_servers, services.topics)
    services.start_executor()
    services.start_tracker()
    ids, records = commands(EXECUTIONS)
    database = await asyncpg.connect(services.database_url)
    async with AIOKafkaProducer(bootstrap_servers=services.bootstrap_servers) as producer:
        await send_all(producer, services.topics, records)
    await ended_rows(database, at_least=1)
    executor_exit = await asyncio.to_thread(services.stop, "executor")
    services.start_executor()
    half_way = await ended_rows(database, at_least=EXECUTIONS // 2)
    tracker_exit = await asyncio.to_thread(services.stop, "tracker")
    services.start_tracker()
    await ended_rows(database, at_least=EXECUTIONS)
    rows = await database.fetch("SELECT * FROM pipeline_executions")
    steps = await database.fetch("SELECT execution_id, step_id, status FROM step_executions")
    await database.close()
    histories = await read_histories(services.bootstrap_servers, services.topics.events)

    assert (executor_exit, tracker_exit) == (0, 0)
    assert half_way < EXECUTIONS
    assert judge(histories, ids, NEEDS).clean
    assert Counter(row["execution_id"] for row in rows) == Counter(ids)
    assert {row["status"] for row in rows} == {"completed"}
    assert Counter((step["execution_id"], step["step_id"]) for step in steps) == Counter(
        (execution_id, step_id) for execution_id in ids for step_id in STEP_IDS
    )
    assert {step["status"] for step in steps if step["step_id"] != "fill_gaps"} == {"completed"}
