"""Commands in a file: told at once, in order, in portions, and kept where nobody can read them."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from pathlib import Path

import pytest

from executor_service.adapters.embedded.command_source import EmbeddedCommandSource
from executor_service.adapters.embedded.file import EmbeddedFile
from executor_service.ports.command_source import ReceivedRecord
from steplog_contracts.envelope import Record

LONG_MS = 10_000


class Listener:
    """Notes what it is given."""

    def __init__(self) -> None:
        self.given: list[int] = []

    async def revoked(self, partitions: Iterable[int]) -> None:
        """Never happens: the file is ours or we are not there."""

    async def assigned(self, partitions: Iterable[int]) -> None:
        """Note them."""
        self.given += partitions


@pytest.fixture
async def file(tmp_path: Path) -> AsyncIterator[EmbeddedFile]:
    """Return an empty file."""
    async with EmbeddedFile(tmp_path / "steplog.db") as opened:
        yield opened


@pytest.fixture
def source(file: EmbeddedFile) -> EmbeddedCommandSource:
    """Return a source on it."""
    return EmbeddedCommandSource(file, topic_name="t.commands")


async def send(file: EmbeddedFile, *values: bytes) -> None:
    """Append commands."""
    await file.append("commands", [Record(b"e-1", value, []) for value in values])


async def test_the_one_partition_is_given_once(source: EmbeddedCommandSource) -> None:
    listener = Listener()

    await source.start(listener)

    assert listener.given == [0]


async def test_a_command_ends_the_wait_for_it(
    file: EmbeddedFile, source: EmbeddedCommandSource
) -> None:
    source.resume([0])
    polling = asyncio.create_task(source.poll({0: 10}, LONG_MS))
    await asyncio.sleep(0)

    await send(file, b"run")

    received = (await polling)[0]
    assert [(one.offset, one.key, one.value) for one in received] == [(0, b"e-1", b"run")]


async def test_commands_come_in_order_in_portions(
    file: EmbeddedFile, source: EmbeddedCommandSource
) -> None:
    await send(file, b"a", b"b", b"c")
    source.resume([0])

    first, second = await source.poll({0: 2}, LONG_MS), await source.poll({0: 2}, LONG_MS)

    assert [one.value for one in first[0]] == [b"a", b"b"]
    assert [one.value for one in second[0]] == [b"c"]


async def test_nothing_comes_while_paused_and_all_of_it_once_resumed(
    file: EmbeddedFile, source: EmbeddedCommandSource
) -> None:
    await send(file, b"a")
    source.pause([0])
    assert await source.poll({0: 10}, 0) == {}
    polling = asyncio.create_task(source.poll({0: 10}, LONG_MS))
    await asyncio.sleep(0)

    source.resume([0])

    assert [one.value for one in (await polling)[0]] == [b"a"]


async def test_seeking_back_brings_commands_again(
    file: EmbeddedFile, source: EmbeddedCommandSource
) -> None:
    await send(file, b"a", b"b")
    source.resume([0])
    await source.poll({0: 10}, LONG_MS)

    source.seek(0, 1)

    assert [one.offset for one in (await source.poll({0: 10}, LONG_MS))[0]] == [1]


async def test_a_command_nobody_can_read_is_kept_with_the_reason(
    file: EmbeddedFile, source: EmbeddedCommandSource
) -> None:
    await source.set_aside(ReceivedRecord(0, 7, b"k", b"\xff{", [("odd", b"\xfe")]), "no JSON")

    kept = (await file.read("dead_commands", 0))[0]
    headers = dict(kept.headers)
    assert (kept.key, kept.value, headers["odd"]) == (b"k", b"\xff{", b"\xfe")
    assert headers["__connect.errors.offset"] == b"7"
    assert headers["__connect.errors.exception.message"] == b"no JSON"
