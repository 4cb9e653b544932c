"""Commands that no well-behaved client sends, given to an executor of its own on a real broker."""

import asyncio
import json

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from executor_service.adapters.system_clock import SystemClock
from steplog_contracts.codec import encode_command
from steplog_contracts.commands import RunPipeline
from steplog_contracts.envelope import Record, SentCommand
from steplog_contracts.events import CommandRefused, ExecutionCompleted
from steplog_contracts.payload import JsonObject
from tests.conftest import ServicesFactory
from tests.executor.support import people_steps
from tests.executor.support.odd_commands import ODD_DEFINITIONS, ODD_RECORDS, STEP
from tests.services import create_topics

pytestmark = [pytest.mark.broker, pytest.mark.database]
ANSWERED_WITHIN_S = 60.0
WORST = (
    "two steps of one id",
    "400 brackets in a pattern",
    "flags that exclude each other",
    "a pattern of gigabytes",
    "2^40 ways by allOf",
    "a schema that is itself",
    "spans no time holds",
)


def run(name: str, definition: object) -> Record:
    command = RunPipeline.model_validate({"execution_id": name, "definition": definition})
    return encode_command(SentCommand(f"c-{name}", "/test", SystemClock().now(), command))


def odd(number: int, change: JsonObject) -> Record:
    definition = {"name": "odd", "steps": [STEP], "flow": {"start_at": "a"}}
    return run(f"odd-{number}", definition | change)


async def test_an_executor_answers_the_worst_commands_and_lives_on(
    make_services: ServicesFactory,
) -> None:
    services = make_services(people_steps.__name__)
    services.partitions = 1
    topics = services.topics
    await create_topics(services.bootstrap_servers, topics)
    child = services.start_executor()
    await asyncio.to_thread(services.wait_ready)
    fine = run("fine", {"name": "fine", "steps": [STEP], "flow": {"start_at": "a"}})
    records = [
        *(odd(n, ODD_DEFINITIONS[name]) for n, name in enumerate(WORST)),
        *ODD_RECORDS.values(),
        fine,
    ]
    async with AIOKafkaProducer(
        bootstrap_servers=services.bootstrap_servers, max_request_size=2**20
    ) as producer:
        for record in records:
            headers = [(name, value) for name, value in record.headers]
            await producer.send_and_wait(
                topics.commands.name, record.value, key=record.key, headers=headers, partition=0
            )
    events = AIOKafkaConsumer(
        topics.events.name,
        bootstrap_servers=services.bootstrap_servers,
        auto_offset_reset="earliest",
    )
    await events.start()
    refused: set[str] = set()
    completed = False
    async with asyncio.timeout(ANSWERED_WITHIN_S):
        while not completed:
            recorded = await events.getone()
            kinds = dict(recorded.headers)
            if kinds["ce_type"].decode() == CommandRefused.event_type:
                refused.add(json.loads(recorded.value)["command_id"])
            completed = kinds["ce_type"].decode() == ExecutionCompleted.event_type
    await events.stop()

    assert {f"c-odd-{n}" for n in range(len(WORST))} <= refused
    assert child.exit_code is None
