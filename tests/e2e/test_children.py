"""Trees of executions on real Kafka: children in other partitions, executors killed on the way."""

import asyncio
import os
import signal
from typing import Any

import asyncpg
import pytest
from aiokafka import AIOKafkaProducer

from executor_service.adapters.system_clock import SystemClock
from steplog_contracts.codec import encode_command
from steplog_contracts.commands import RunPipeline
from steplog_contracts.envelope import SentCommand
from tests.benchmarks.load import send_all
from tests.conftest import ServicesFactory
from tests.e2e.rows import ended_rows
from tests.e2e.weather_shape import weather_shape
from tests.services import create_topics

TREES = 40
# The one at the top, the one it begins, and the one that that begins.
DEPTH = 3
pytestmark = [pytest.mark.e2e, pytest.mark.broker, pytest.mark.database]


def calling(child: dict[str, Any]) -> dict[str, Any]:
    """Return a pipeline whose one step has another one run."""
    return {
        "name": "calling",
        "steps": [{"id": "call", "type": "pipeline", "definition": child}],
        "flow": {"start_at": "call", "paths": []},
    }


async def test_each_tree_is_whole_when_executors_are_killed_and_started(
    make_services: ServicesFactory,
) -> None:
    """Children hash to any partition; every end reaches its parent, and each child begins once."""
    services = make_services("tests.e2e.weather_shape")
    await create_topics(services.bootstrap_servers, services.topics)
    services.start_executor()
    services.start_tracker()
    definition = calling(calling(weather_shape(seconds=0.05)))
    records = []
    for number in range(TREES):
        command = RunPipeline(
            execution_id=f"top-{number}", definition=definition, input={"n": number, "gaps": 0}
        )
        records.append(
            encode_command(SentCommand(f"run-{number}", "/test", SystemClock().now(), command))
        )
    async with AIOKafkaProducer(bootstrap_servers=services.bootstrap_servers) as producer:
        await send_all(producer, services.topics, records)
    database = await asyncpg.connect(services.database_url)
    for ended in (1, TREES):
        await ended_rows(database, at_least=ended)
        killed = services.running.pop("executor")
        os.kill(killed.pid, signal.SIGKILL)
        await asyncio.to_thread(killed.stop)  # It is dead: this takes its exit code.
        services.start_executor()
    await ended_rows(database, at_least=TREES * DEPTH)
    rows = await database.fetch("SELECT execution_id, status, partition FROM pipeline_executions")
    moved = await database.fetchval(
        "SELECT count(*) FROM pipeline_executions AS c JOIN pipeline_executions AS p "
        "ON p.execution_id = c.parent_execution_id WHERE c.partition <> p.partition"
    )
    calls = await database.fetch(
        "SELECT status, child_execution_id FROM step_executions WHERE step_id = 'call'"
    )
    await database.close()

    assert len(rows) == TREES * DEPTH
    assert {row["status"] for row in rows} == {"completed"}
    assert moved > 0
    assert {call["status"] for call in calls} == {"completed"}
    assert len({call["child_execution_id"] for call in calls}) == TREES * (DEPTH - 1)
