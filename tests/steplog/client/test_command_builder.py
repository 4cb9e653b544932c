"""The client turns calls into commands, with ids where the executor expects them."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from steplog.client.client import Steplog
from steplog.client.read_api import ReadApi
from steplog.errors import BadInput
from steplog_contracts.commands import (
    CancelExecution,
    ForkExecution,
    ResumeExecution,
    RetryExecution,
    RunPipeline,
)
from steplog_contracts.partitioning import partition_of
from tests.steplog.fake_commands import PARTITIONS, FakeCommands


@pytest.fixture
def commands() -> FakeCommands:
    """Return what keeps the commands."""
    return FakeCommands()


@pytest.fixture
def client(commands: FakeCommands) -> Steplog:
    """Return a client that asks no API."""
    return Steplog(commands, ReadApi("http://127.0.0.1:1"))


async def test_a_run_says_all_that_a_command_can(client: Steplog, commands: FakeCommands) -> None:
    later = datetime(2030, 1, 1, tzinfo=UTC)
    await client.run(
        "weather", {"year": 2015}, execution_id="e-1", parameters={"p": 1}, metadata={"m": 2},
        not_before=later, priority=3, concurrency_key="k",
    )  # fmt: skip

    assert commands.sent == [
        RunPipeline(
            execution_id="e-1", pipeline="weather", input={"year": 2015}, parameters={"p": 1},
            metadata={"m": 2}, not_before=later, priority=3, concurrency_key="k",
        )
    ]  # fmt: skip


async def test_a_run_with_a_key_gets_an_id_in_the_partition_of_the_key(
    client: Steplog, commands: FakeCommands
) -> None:
    """Only there does one owner see all executions of the key."""
    await client.run("weather", concurrency_key="seattle")

    id_given = commands.sent[0].execution_id
    assert partition_of(id_given, PARTITIONS) == partition_of("seattle", PARTITIONS)


async def test_a_cancel_and_an_answer_name_the_execution(
    client: Steplog, commands: FakeCommands
) -> None:
    await client.cancel("e-1", "enough")
    await client.resume("e-1", {"ok": True}, "ask")

    assert commands.sent == [
        CancelExecution(execution_id="e-1", reason="enough"),
        ResumeExecution(execution_id="e-1", step_id="ask", human_input={"ok": True}),
    ]


@pytest.mark.parametrize("origin", ["e-1", "another", "x" * 200])
async def test_retries_and_forks_belong_to_their_origins_partition(
    client: Steplog, commands: FakeCommands, origin: str
) -> None:
    """Only the owner of that partition can read the origin's history."""
    await client.retry(origin)
    await client.fork(origin, "clean", iteration=2, input_patch={"a": None})

    retry, fork = commands.sent
    assert isinstance(retry, RetryExecution)
    assert isinstance(fork, ForkExecution)
    assert (fork.from_step, fork.iteration, fork.input_patch) == ("clean", 2, {"a": None})
    for new in (retry, fork):
        assert new.origin_execution_id == origin
        assert partition_of(new.execution_id, PARTITIONS) == partition_of(origin, PARTITIONS)


BAD: list[Callable[[Steplog], Awaitable[Any]]] = [
    lambda client: client.run("weather", execution_id="no spaces"),
    lambda client: client.run("weather", priority="high"),  # type: ignore[arg-type]
    lambda client: client.run("weather", not_before=datetime(2030, 1, 1)),  # noqa: DTZ001
    lambda client: client.cancel(""),
    lambda client: client.resume("e/1", {}),
    lambda client: client.fork("e-1", "clean", iteration=0),
]


@pytest.mark.parametrize("ask", BAD)
async def test_what_no_command_can_take_is_refused_before_it_is_sent(
    client: Steplog, commands: FakeCommands, ask: Callable[[Steplog], Awaitable[Any]]
) -> None:
    with pytest.raises(BadInput):
        await ask(client)

    assert commands.sent == []
