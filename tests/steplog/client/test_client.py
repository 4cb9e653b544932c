"""The client sends commands to the log and waits for what the rows say of them."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from aiokafka import AIOKafkaConsumer

from steplog.client.addresses import Addresses
from steplog.client.client import Steplog
from steplog.client.kafka_sender import CommandSender
from steplog.client.read_api import ReadApi
from steplog.client.sender import Submitted
from steplog.errors import BadInput, CommandWasRefused, NotAnswered
from steplog_contracts.codec import decode_command
from steplog_contracts.commands import RunPipeline
from steplog_contracts.partitioning import new_execution_id
from steplog_contracts.topics import Topics, topics_for
from tests.steplog.client.test_read_api import EXECUTION

SUBMITTED = Submitted("e-1", "c-1")


class Scripted(httpx.AsyncBaseTransport):
    """Answers questions about commands and about executions from two scripts."""

    def __init__(self, commands: list[str], statuses: list[str]) -> None:
        self.commands: Iterator[str] = iter(commands)
        self.statuses: Iterator[str] = iter(statuses)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Answer with the next line of the script."""
        if "/commands/" in request.url.path:
            body: dict[str, Any] = {
                "status": next(self.commands),
                "code": "bad_definition",
                "message": "The definition is refused.",
            }
        else:
            body = {"execution": EXECUTION | {"status": next(self.statuses)}}
        body["freshness"] = {}
        return httpx.Response(200, json=body)


def _client(commands: list[str], statuses: list[str]) -> Steplog:
    read = ReadApi("http://steplog", transport=Scripted(commands, statuses))
    return Steplog(CommandSender("127.0.0.1:1", topics_for().commands), read)


@pytest.mark.broker
async def test_a_run_command_is_in_the_log_when_it_is_submitted(
    kafka_bootstrap: str, topics: Topics
) -> None:
    addresses = Addresses(kafka_bootstrap, "http://127.0.0.1:1", topics)
    async with Steplog.connect(addresses) as steplog:
        submitted = await steplog.run("weather", {"year": 2015}, execution_id="e-9")

    consumer = AIOKafkaConsumer(
        topics.commands.name, bootstrap_servers=kafka_bootstrap, auto_offset_reset="earliest"
    )
    async with consumer:
        record = await consumer.getone()
    sent = decode_command(record.value, record.headers)

    assert isinstance(sent.command, RunPipeline)
    assert (sent.command.pipeline, sent.command.input) == ("weather", {"year": 2015})
    assert (record.key, sent.command_id) == (b"e-9", submitted.command_id)


@pytest.mark.broker
async def test_an_argument_no_command_can_take_is_refused(
    kafka_bootstrap: str, topics: Topics
) -> None:
    addresses = Addresses(kafka_bootstrap, "http://127.0.0.1:1", topics)

    async with Steplog.connect(addresses) as steplog:
        with pytest.raises(BadInput, match="execution_id"):
            await steplog.run("weather", execution_id="no spaces")


async def test_a_result_is_the_execution_once_it_has_ended() -> None:
    commands, statuses = ["unknown", "applied"], ["running", "running", "failed"]
    steplog = _client(commands, statuses)

    execution = await steplog.result(SUBMITTED)

    assert execution.status == "failed"


async def test_a_refused_command_has_no_result() -> None:
    steplog = _client(["unknown", "refused"], [])

    with pytest.raises(CommandWasRefused, match="The definition is refused"):
        await steplog.result(SUBMITTED)


async def test_waiting_for_a_result_has_an_end() -> None:
    steplog = _client(["applied"], ["running"] * 100)

    with pytest.raises(NotAnswered, match="has not ended within 0 s"):
        await steplog.result(SUBMITTED, timeout_s=0.1)


def test_new_ids_differ() -> None:
    assert len({new_execution_id() for _ in range(100)}) == 100
