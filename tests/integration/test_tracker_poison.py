"""Poison of each kind on a real broker, in the midst of executions that are well.

A sick execution stops alone. Those that are well are as quick as before it came: both are timed in
the same run, record by record, behind poison in the same partition.
"""

import asyncio
import statistics
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import asyncpg
import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from steplog_contracts import events
from steplog_contracts.envelope import Record
from tests.integration.tracker_load import Load, caught_up, until
from tests.services import Services
from tests.tracker.histories import History

LARGE_BYTES: Final = 5_000_000
MAX_MESSAGE_BYTES: Final = 6_000_000
GROUPS: Final = 20
LONG_STEP: Final = b'{"step_id": "%s"}' % (b"s" * 5000)
# What a slow machine may add by chance; poison that held others up would add seconds.
MOST_SLOWER: Final = 5.0
CHANCE_S: Final = 0.1


def named(record: Record, name: str, value: bytes | None) -> Record:
    """The record with one header changed, or without it."""
    kept = [(n, v) for n, v in record.headers if n != name]
    return record._replace(headers=kept if value is None else [*kept, (name, value)])


def with_null(record: Record, name: str) -> Record:
    """The record with a header that has no value, as Kafka allows."""
    kept = [(n, v) for n, v in record.headers if n != name]
    return record._replace(headers=[*kept, (name, None)])


def retried(record: Record, at: str) -> Record:
    """The record as that of an attempt that is tried again at a time."""
    told = f'{{"step_id": "a", "error": {{"type": "E", "message": "m"}}, "retry_at": "{at}"}}'
    kind = events.StepAttemptFailed.event_type.encode()
    return named(record, "ce_type", kind)._replace(value=told.encode())


def in_version_nine(record: Record) -> Record:
    """The record with a version of its kind that nobody knows."""
    kind = dict(record.headers)["ce_type"].decode().rpartition(".")[0]
    return named(record, "ce_type", f"{kind}.v9".encode())


@dataclass(frozen=True)
class Sick:
    """An execution whose last record but one is poison; `code` None means it is none after all."""

    name: str
    records: list[Record]
    code: str | None


SPOILT: Final[tuple[tuple[str, str, Callable[[Record], Record]], ...]] = (
    ("bad-json", "bad_json", lambda record: record._replace(value=b'{"step_id": ')),
    ("unknown-version", "unknown_version", in_version_nine),
    ("no-type", "missing_header", lambda record: named(record, "ce_type", None)),
    ("no-headers", "missing_header", lambda record: record._replace(headers=[])),
    ("odd-sequence", "bad_header", lambda record: named(record, "ce_sequence", b"three")),
    ("no-value", "bad_payload", lambda record: record._replace(value=None)),
    ("long-sequence", "bad_header", lambda record: named(record, "ce_sequence", b"9" * 5000)),
    ("large-sequence", "bad_header", lambda record: named(record, "ce_sequence", b"%d" % (2**63))),
    (
        "no-utc",
        "bad_header",
        lambda record: named(record, "ce_time", b"9999-12-31T23:59:59-23:59"),
    ),
    ("large-epoch", "bad_header", lambda record: named(record, "ce_writerepoch", b"9" * 5000)),
    ("null-time", "bad_header", lambda record: with_null(record, "ce_time")),
    ("long-cause", "bad_header", lambda record: named(record, "ce_causationid", b"c" * 5000)),
    ("late-retry", "bad_payload", lambda record: retried(record, "9999-12-31T23:59:59-23:59")),
    ("long-step", "too_long", lambda record: record._replace(value=LONG_STEP)),
)


def sick_executions() -> list[Sick]:
    """Return one of each kind."""
    found = []
    for name, code, spoil in SPOILT:
        history = History(name)
        begun, (started, completed) = history.started(), history.step()
        found.append(Sick(name, [begun, started, spoil(completed), history.completed()], code))
    history = History("hole")
    begun, (_lost, completed) = history.started(), history.step()
    found.append(Sick("hole", [begun, completed], "hole"))
    for name, text in (("nul", "a\x00b"), ("large", "x" * LARGE_BYTES)):
        history = History(name)
        begun, step = history.started(), history.step(output={"text": text})
        found.append(Sick(name, [begun, *step, history.completed()], None))
    history = History("nul-in-error")
    told = events.ErrorInfo(type="ValueError", message="a\x00b")
    ended = history.started(), history.record(events.ExecutionFailed(error=told))
    return [*found, Sick("nul-in-error", list(ended), None)]


@pytest.fixture
async def load(
    kafka_bootstrap: str, postgres_url: str, topic_namespace: str, tmp_path: Path
) -> AsyncIterator[Load]:
    """Return a load on a topic that takes large records, with a worker behind it."""
    services = Services(
        kafka_bootstrap, postgres_url, topic_namespace, tmp_path, "none", partitions=2
    )
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka_bootstrap)
    await admin.start()
    config = {"max.message.bytes": str(MAX_MESSAGE_BYTES)}
    topic = NewTopic(services.topics.events.name, 2, 1, topic_configs=config)
    await admin.create_topics([topic])
    await admin.close()
    services.start_tracker()
    try:
        yield Load(services)
    finally:
        await asyncio.to_thread(services.stop_all)


@dataclass
class Timed:
    """Appends groups of executions that are well and waits for each to be in the rows."""

    load: Load
    producer: AIOKafkaProducer
    database: asyncpg.Connection

    async def group(self, number: int, before: list[Record]) -> float:
        """Append records and a group behind them; return seconds until the group is applied."""
        partition = number % self.load.services.partitions
        if before:
            await self.load.append(self.producer, partition, before)
        well = [r for n in range(5) for r in History(f"well-{number}-{n}").whole(steps=2)]
        began_s = time.monotonic()
        await self.load.append(self.producer, partition, well)
        wanted = self.load.partitions[partition]
        await until(lambda: self._applied(partition, wanted), "the group", poll_s=0.003)
        return time.monotonic() - began_s

    async def _applied(self, partition: int, wanted: int) -> bool:
        query = "SELECT next_offset FROM projection_positions WHERE partition = $1"
        return int(await self.database.fetchval(query, partition)) >= wanted


@pytest.fixture
async def timed(load: Load) -> AsyncIterator[Timed]:
    """Return a load whose worker is at work already."""
    producer = AIOKafkaProducer(
        bootstrap_servers=load.services.bootstrap_servers, max_request_size=MAX_MESSAGE_BYTES
    )
    await producer.start()
    await load.append(producer, 0, History("first").whole())
    await until(lambda: caught_up(load), "the worker is there")
    database = await asyncpg.connect(load.services.database_url)
    yield Timed(load, producer, database)
    await database.close()
    await producer.stop()


async def test_poison_of_each_kind_holds_up_nobody_who_is_well(timed: Timed) -> None:
    sick = sick_executions()
    poisons = [one.records for one in sick] + [[]] * (GROUPS - len(sick))

    without = [await timed.group(n, []) for n in range(GROUPS)]
    beside = [await timed.group(GROUPS + n, poison) for n, poison in enumerate(poisons)]

    quick, slow = statistics.median(without), statistics.median(beside)
    assert slow < quick * MOST_SLOWER + CHANCE_S, f"{slow} s beside poison, {quick} s before it"
    assert await set_aside(timed.database) == {one.name: one.code for one in sick if one.code}
    ended = await ended_executions(timed.database)
    assert {one.name for one in sick if one.code is None} <= ended.keys()
    assert sum(name.startswith("well-") for name in ended) == 2 * GROUPS * 5
    assert ended["nul-in-error"] == "a\\u0000b"
    assert await output_chars(timed.database, "large") > LARGE_BYTES


async def set_aside(database: asyncpg.Connection) -> dict[str, str]:
    """Return the codes of open dead letters by execution."""
    rows = await database.fetch("SELECT record_key, code FROM dead_letters WHERE status = 'open'")
    return {row["record_key"].decode(): row["code"] for row in rows}


async def ended_executions(database: asyncpg.Connection) -> dict[str, str | None]:
    """Return error messages of ended executions."""
    query = "SELECT execution_id, error_message FROM pipeline_executions WHERE status <> 'running'"
    return {row[0]: row[1] for row in await database.fetch(query)}


async def output_chars(database: asyncpg.Connection, execution_id: str) -> int:
    """Return the length of the output of an execution's only step."""
    query = "SELECT length(output_data::text) FROM step_executions WHERE execution_id = $1"
    return int(await database.fetchval(query, execution_id))
