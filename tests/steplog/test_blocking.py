"""Scripts use the client without await: every word works, from any thread."""

import inspect
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from steplog.blocking import BlockingSteplog
from steplog.client.client import Steplog
from steplog.client.read_api import ReadApi
from steplog.embedded import Embedded
from steplog.errors import BadInput
from tests.steplog.client.test_client import Scripted
from tests.steplog.fake_commands import FakeCommands

WORDS = sorted(
    name
    for name, one in inspect.getmembers(Steplog, inspect.isfunction)
    if not name.startswith("_")
)


@pytest.fixture
def commands() -> FakeCommands:
    """Return what keeps the commands."""
    return FakeCommands()


@pytest.fixture
def client(commands: FakeCommands) -> Iterator[BlockingSteplog]:
    """Return a client whose API tells of a run that is applied and then completes."""

    @asynccontextmanager
    async def opened() -> AsyncIterator[Steplog]:
        read = ReadApi(
            "http://steplog", transport=Scripted(["applied"] * 2, ["running", "completed"])
        )
        yield Steplog(commands, read)
        await read.close()

    with BlockingSteplog.over(opened()) as client:
        yield client


def test_a_run_is_sent_and_its_result_waited_for(
    client: BlockingSteplog, commands: FakeCommands
) -> None:
    execution = client.result(client.run("weather", {"year": 2015}))

    assert execution.status == "completed"
    assert len(commands.sent) == 1


def test_every_kind_of_command_can_be_sent(client: BlockingSteplog, commands: FakeCommands) -> None:
    client.cancel("e-1")
    client.resume("e-1", {})
    client.retry("e-1")
    client.fork("e-1", "clean")

    assert [type(command).__name__ for command in commands.sent] == [
        "CancelExecution", "ResumeExecution", "RetryExecution", "ForkExecution",
    ]  # fmt: skip


def test_a_refusal_is_raised_where_the_call_was_made(client: BlockingSteplog) -> None:
    with pytest.raises(BadInput):
        client.run("weather", execution_id="no spaces")


def test_threads_share_a_client(client: BlockingSteplog, commands: FakeCommands) -> None:
    with ThreadPoolExecutor(4) as threads:
        sent = list(threads.map(lambda n: client.run("w", execution_id=f"e-{n}"), range(20)))

    assert len({one.command_id for one in sent}) == 20
    assert len(commands.sent) == 20


@pytest.mark.parametrize("name", WORDS)
def test_every_word_of_the_client_is_there_without_await(name: str) -> None:
    """What takes much by name passes it on; everything else takes the same."""
    told = inspect.signature(getattr(Steplog, name)).parameters
    twin = inspect.signature(getattr(BlockingSteplog, name)).parameters
    passed_on = any(one.kind is inspect.Parameter.VAR_KEYWORD for one in twin.values())

    assert set(twin) - {"given", "filters"} <= set(told)
    assert passed_on or list(twin) == list(told)
    assert getattr(BlockingSteplog, name).__doc__


async def test_an_embedded_one_opens_and_ends_inside_a_running_loop(tmp_path: Path) -> None:
    """As in a notebook."""
    with Embedded.blocking(tmp_path / "s.db") as steplog:
        assert steplog.get("nobody") is None
