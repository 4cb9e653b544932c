"""Limits, compensation, pure steps and records of steps, killed in between: as a pair, embedded."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from executor_service.adapters.embedded.file import EmbeddedFile
from executor_service.adapters.system_clock import SystemClock
from steplog.client.command_builder import run_pipeline
from steplog.embedded.sender import EmbeddedSender
from steplog_contracts import events as ev
from steplog_contracts.codec import encode_command
from steplog_contracts.commands import RunPipeline
from steplog_contracts.envelope import SentCommand
from tests.benchmarks.load import send_all
from tests.conftest import ServicesFactory
from tests.e2e.rows import row_with_status
from tests.e2e.test_embedded_crash import histories_in
from tests.services import create_topics
from tests.support import construct_steps
from tests.support.construct_steps import flow, of_class

# Well after both kills, and long before anybody loses patience.
TIMEOUT_S = 8
ENDED_WITHIN_S = 60.0
pytestmark = [pytest.mark.e2e, pytest.mark.broker, pytest.mark.database]


def whole(topic: str) -> dict[str, Any]:
    """Return a flow that runs ahead, books, tells a topic, and waits until its time is over."""
    tell = {"id": "tell", "type": "kafka", "topic": topic, "value": {"n": "{{ n }}"},
            "error_handling": {"retry": {"max_attempts": 5}}}  # fmt: skip
    steps = [
        *(of_class(f"p{n}", "Adds", effects="none") for n in range(3)),
        of_class("book", "Books"), tell, of_class("hold", "Holds"),
        {"id": "w", "type": "wait", "seconds": 3600},
    ]  # fmt: skip
    return flow(*steps, timeout_seconds=TIMEOUT_S, on_failure="compensate")


@asynccontextmanager
async def told(bootstrap: str, topic: str) -> AsyncIterator[AIOKafkaConsumer]:
    """Make a topic and listen to it."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    await admin.create_topics([NewTopic(topic, num_partitions=1, replication_factor=1)])
    await admin.close()
    consumer = AIOKafkaConsumer(topic, bootstrap_servers=bootstrap, auto_offset_reset="earliest")
    await consumer.start()
    try:
        yield consumer
    finally:
        await consumer.stop()


async def next_record(consumer: AIOKafkaConsumer) -> tuple[bytes, dict[str, bytes]]:
    """Return the value and the headers of the next record."""
    record = await asyncio.wait_for(consumer.getone(), ENDED_WITHIN_S)
    return record.value, dict(record.headers)


async def test_each_is_whole_after_a_kill_in_a_pair_and_in_one_file(
    make_services: ServicesFactory, topic_namespace: str, tmp_path: Path
) -> None:
    topic = f"told-{topic_namespace}"
    services = make_services(construct_steps.__name__, STEPLOG_STEP_TOPICS=topic)
    await create_topics(services.bootstrap_servers, services.topics)
    async with told(services.bootstrap_servers, topic) as consumer:
        services.start_executor()
        services.start_tracker()
        command = RunPipeline(execution_id="in-pair", definition=whole(topic))
        sent = encode_command(SentCommand("run", "/test", SystemClock().now(), command))
        async with AIOKafkaProducer(bootstrap_servers=services.bootstrap_servers) as producer:
            await send_all(producer, services.topics, [sent])
        of_pair = await next_record(consumer)
        killed = services.running.pop("executor")
        os.kill(killed.pid, signal.SIGKILL)
        await asyncio.to_thread(killed.stop)  # It is dead: this takes its exit code.
        services.start_executor()
        of_file, ended = await in_file(services.bootstrap_servers, topic, tmp_path, consumer)
    database = await asyncpg.connect(services.database_url)
    row = await row_with_status(database, "in-pair", "failed")
    undone = await database.fetch(
        "SELECT step_id FROM step_compensations WHERE execution_id = 'in-pair'"
    )
    await database.close()

    assert of_pair == (b'{"n": 3}', {"idempotency-key": b"in-pair:tell:1"})
    assert of_file == (b'{"n": 3}', {"idempotency-key": b"in-file:tell:1"})
    assert "ExecutionTimedOut" in str(dict(row))
    assert [found["step_id"] for found in undone] == ["book"]
    assert isinstance(ended[-1], ev.ExecutionFailed)
    assert ended[-1].error.type == "ExecutionTimedOut"
    assert [e.step_id for e in ended if isinstance(e, ev.StepCompensated)] == ["book"]
    completed = [e.step_id for e in ended if isinstance(e, ev.StepCompleted)]
    assert completed[:4] == ["p0", "p1", "p2", "book"]
    assert len(completed) == len(set(completed))


async def in_file(
    bootstrap: str, topic: str, folder: Path, consumer: AIOKafkaConsumer
) -> tuple[tuple[bytes, dict[str, bytes]], list[ev.Event]]:
    """Run the same in a file, kill it once it told, and run it on; return record and history."""
    file = folder / "steplog.db"
    async with EmbeddedFile(file) as opened:
        asked = run_pipeline(whole(topic), {}, {"execution_id": "in-file"})
        await EmbeddedSender(opened).send(asked)
    environment = {
        **os.environ, "STEPLOG_STEP_TOPICS": topic, "STEPLOG_KAFKA_BOOTSTRAP_SERVERS": bootstrap
    }  # fmt: skip
    program = [sys.executable, "-m", "tests.e2e.embedded_program", str(file), "1"]
    killed = await asyncio.create_subprocess_exec(*program, env=environment)
    record = await next_record(consumer)
    while record[1]["idempotency-key"] == b"in-pair:tell:1":
        record = await next_record(consumer)  # The pair's, sent again after its kill.
    killed.kill()
    await killed.wait()
    after = await asyncio.create_subprocess_exec(*program, env=environment)
    await asyncio.wait_for(after.wait(), ENDED_WITHIN_S)
    histories = await histories_in(file)
    return record, [recorded.event for recorded in histories["in-file"]]
